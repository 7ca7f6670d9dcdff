"""Realistic webhooks of every kind: what Twilio and SendGrid send, with fresh SIDs each time."""
