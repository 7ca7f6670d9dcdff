"""The throughput at which a backlog is processed, by the processor and by its alternatives."""
