"""Compare versions of Hookline with each other: what a webhook and an event cost in CPU time, in turns on one machine."""
