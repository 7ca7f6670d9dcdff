"""Services and commands as processes."""
