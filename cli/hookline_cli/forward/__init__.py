"""`hookline forward`: try what a processor would send to an app."""
