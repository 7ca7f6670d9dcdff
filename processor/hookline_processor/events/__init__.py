"""The typed events that handlers get."""
