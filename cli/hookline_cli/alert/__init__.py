"""`hookline alert`: test the channel for alerts."""
