"""The application: configuration, wiring, command line, daemon, demo."""
