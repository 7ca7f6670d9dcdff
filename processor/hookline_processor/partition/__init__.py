"""One partition: reading it, its lanes and window, the worker slots, and settlement."""
