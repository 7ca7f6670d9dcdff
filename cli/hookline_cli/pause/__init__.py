"""`hookline pause` and `hookline resume`: keep events from being attempted for a while."""
