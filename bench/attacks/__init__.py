"""Attacks on the port of ingress: what they cost the attacker, and what those whom ingress serves notice of them."""
