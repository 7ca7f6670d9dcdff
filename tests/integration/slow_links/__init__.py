"""Large entries over slow connections."""
