"""What the monitor did and decided: states of rules, alerts, deliveries, runs of jobs, and who holds the file."""
