"""Mutated requests at a real ingress with a real Redis: none may hang, fail, or leave anything behind."""
