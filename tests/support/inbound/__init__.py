"""Webhooks as Twilio and SendGrid send them."""
