"""From a settled event to rows of the ledger. Pure."""
