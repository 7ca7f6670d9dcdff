"""The effect of faults on senders and handlers: Hookline, and a service that does the work inside the request."""
