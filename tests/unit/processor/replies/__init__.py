"""Replies: what handlers may send, and what becomes of it."""
