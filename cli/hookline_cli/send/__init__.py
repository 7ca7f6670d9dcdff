"""`hookline send`: signed webhooks, one or many at a rate."""
