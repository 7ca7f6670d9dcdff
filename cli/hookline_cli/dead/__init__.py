"""`hookline dead`: looking at dead letters, replaying them, and discarding them."""
