"""`hookline number`: point Twilio's numbers at Hookline, and back."""
