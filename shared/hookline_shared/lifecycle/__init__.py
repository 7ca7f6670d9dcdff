"""The life of a service process: signals, start, supervised tasks, listening, stop and exit code."""
