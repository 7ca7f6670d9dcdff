"""The spool: events that Redis did not take, on the local disk until they are drained into Redis."""
