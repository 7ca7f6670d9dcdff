"""`hookline doctor`: the checks, each in a file of its own."""
