"""The dashboards of deploy/grafana as a picture of a real run, in which Redis stalls and a handler breaks."""
