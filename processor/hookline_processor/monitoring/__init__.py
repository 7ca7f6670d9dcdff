"""The backlog, and the values of the alerts of the processor."""
