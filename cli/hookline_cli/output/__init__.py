"""What the commands share for printing: terminal, progress, redaction, times and durations."""
