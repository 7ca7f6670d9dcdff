"""Real servers, and where they come from."""
