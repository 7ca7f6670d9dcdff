"""Lanes that wait in Redis: for a time, or for a condition."""
