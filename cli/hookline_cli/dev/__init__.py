"""`hookline dev`: everything on a laptop, with a tunnel from Twilio to it."""
