"""The effect of faults on senders and handlers of Hookline, of a receiver with an XADD, and of work inside the request."""
