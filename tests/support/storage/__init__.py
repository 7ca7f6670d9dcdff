"""What Redis and the ledger hold."""
