"""Readiness probes for the processes of the benchmark."""

import socket
from http.client import HTTPConnection, HTTPException


def accepts(port: int) -> bool:
    """Whether something on loopback accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(admin_port: int) -> bool:
    """Whether the service with this admin port is ready."""
    connection = HTTPConnection("127.0.0.1", admin_port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
