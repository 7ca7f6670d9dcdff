"""What the services say: logs, alerts, traces, metrics."""
