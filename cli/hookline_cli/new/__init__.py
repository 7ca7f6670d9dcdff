"""`hookline new`: a small project to start from."""
