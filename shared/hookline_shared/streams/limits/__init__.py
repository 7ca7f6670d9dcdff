"""Limits that all ingresses share: rates, addresses that sent genuine webhooks, and signatures that were used."""
