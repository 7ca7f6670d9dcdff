"""The checks of `hookline doctor`, one in each file."""
