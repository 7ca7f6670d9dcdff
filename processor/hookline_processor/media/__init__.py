"""Attachments of messages and recordings, fetched from Twilio."""
