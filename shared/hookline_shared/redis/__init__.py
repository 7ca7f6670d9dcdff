"""The connections to Redis: pools, topology, probing and server info. Only this package uses the client library."""
