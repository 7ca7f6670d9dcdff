"""Live routes, without I/O."""
