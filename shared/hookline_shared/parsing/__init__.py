"""Parsing request bodies: forms, multipart forms and JSON."""
