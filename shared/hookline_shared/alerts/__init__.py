"""Alerts: what is watched, when it is worth telling, and how it is told."""
