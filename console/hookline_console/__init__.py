"""The web console: see what Hookline does, and fix what went wrong."""
