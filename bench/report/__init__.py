"""The figures, their targets, and how they are shown and saved."""
