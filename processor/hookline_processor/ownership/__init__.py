"""Which processor owns which partition."""
