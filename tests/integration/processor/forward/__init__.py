"""Forwards, from a real Redis to a real app."""
