"""The ledger measured: what it costs the processor, how fast it writes, and how fast a search answers."""
