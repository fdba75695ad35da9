"""What is told: held against what was said before, folded, queued, and in which order it goes out."""
