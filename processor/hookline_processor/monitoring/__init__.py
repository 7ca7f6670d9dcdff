"""What the processor reports about the backlog, and what its alerts look at."""
