"""Replies, from the settlement of an event to Twilio."""
