"""`hookline outbox`: the messages that are to be sent."""
