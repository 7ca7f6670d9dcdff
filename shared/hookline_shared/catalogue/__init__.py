"""The catalogue: every kind of webhook that Hookline knows, one entry each, in `products/`."""
