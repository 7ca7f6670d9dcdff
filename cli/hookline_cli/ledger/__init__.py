"""`hookline ledger`: the history of what was handled."""
