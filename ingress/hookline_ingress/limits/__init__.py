"""Rate limits of senders and of addresses."""
