"""Tests without Redis and without waiting."""
