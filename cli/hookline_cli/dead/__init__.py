"""`hookline dead`: list, show, replay and discard dead letters."""
