"""Which path a request is for, and the settings of paths."""
