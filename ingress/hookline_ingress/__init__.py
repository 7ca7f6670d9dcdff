"""The service Twilio calls: verify, deduplicate, make durable, answer."""
