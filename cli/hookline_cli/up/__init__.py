"""`hookline up`: Redis, ingress and processor on one machine."""
