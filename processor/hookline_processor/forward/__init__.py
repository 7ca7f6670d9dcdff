"""Forwards: pass webhooks on to an app over HTTP, whose answer is the reply. `docs/answering.md` has the states."""
