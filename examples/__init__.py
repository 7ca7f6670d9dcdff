"""Small programs that show how Hookline is used."""
