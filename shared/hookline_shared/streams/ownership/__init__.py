"""Who owns which partition: leases, and the members of the consumer group."""
