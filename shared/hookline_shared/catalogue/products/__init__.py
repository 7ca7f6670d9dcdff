"""The entries of the catalogue, one file for each product of Twilio. A new kind is one entry in one of these files."""
