"""The handlers of processors in acceptance tests."""
