"""Logs, metrics, traces, health checks and the admin port of both services."""
