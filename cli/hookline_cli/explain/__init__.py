"""`hookline explain`: what an error code of Twilio means."""
