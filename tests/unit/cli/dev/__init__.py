"""`hookline dev`."""
