"""`hookline status`: what waits, who works on it, and how each service is."""
