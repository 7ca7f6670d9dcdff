"""Forwards, without I/O."""
