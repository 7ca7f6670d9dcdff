"""The sender, without Redis and without Twilio."""
