"""Replies: what handlers send, and how that is recorded when their events are settled."""
