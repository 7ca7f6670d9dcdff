"""Live routes, from Twilio to the handler and back."""
