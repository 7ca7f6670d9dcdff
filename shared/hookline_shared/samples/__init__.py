"""Realistic webhooks of every kind, for trying things out: what Twilio and SendGrid send, with fresh SIDs each time."""
