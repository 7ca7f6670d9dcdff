"""Ingress in the test's own process, and its clients."""
