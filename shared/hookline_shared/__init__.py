"""The code that both services use: the event, the keys, settings, logs, metrics, the service life cycle, and Redis."""
