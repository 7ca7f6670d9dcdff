"""Verification of signatures: those of Twilio, and those of SendGrid."""
