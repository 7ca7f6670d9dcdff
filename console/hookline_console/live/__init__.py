"""What the console shows while it changes: status, history and running jobs."""
