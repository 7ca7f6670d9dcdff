"""`hookline retry`: list, hurry or drop what waits in Redis."""
