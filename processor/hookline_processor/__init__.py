"""The service that runs the user's handler for every accepted webhook. Users import from `hookline`."""
