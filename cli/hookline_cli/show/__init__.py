"""`hookline show`: where an event is and what happened to it."""
