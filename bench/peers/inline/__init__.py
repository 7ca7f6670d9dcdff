"""What Hookline is there to replace: a handler that does its work before it answers."""
