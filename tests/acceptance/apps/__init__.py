"""Apps as people have them, with Twilio's official validators: they know nothing of Hookline."""
