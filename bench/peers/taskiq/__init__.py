"""taskiq with the stream broker of taskiq-redis."""
