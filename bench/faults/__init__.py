"""What senders and handlers notice of a fault: Hookline beside a handler that does its work inside the request."""
