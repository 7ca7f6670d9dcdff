"""streaq."""
