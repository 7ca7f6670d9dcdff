"""`hookline number`."""
