"""Alerts: the rules, when they fire, and how they are reported."""
