"""Turning values into HTML."""
