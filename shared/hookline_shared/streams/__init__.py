"""What Hookline keeps in Redis: events, leases, dead letters, ledger entries, rate limits, and the scripts that change them."""
