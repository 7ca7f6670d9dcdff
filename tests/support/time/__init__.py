"""Clocks that a test turns."""
