"""The readiness check of a container; Docker's HEALTHCHECK runs it every few seconds.

So it imports next to nothing: all of it takes some 15 ms. What it prints is in `docker inspect`, and in what deploy.sh shows.
"""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

PORTS = {"ingress": ("INGRESS_ADMIN_PORT", 9080), "processor": ("PROCESSOR_ADMIN_PORT", 9081)}
TIMEOUT_S = 2.0


def service(command: bytes) -> str | None:
    """Return the service that `command`, as in /proc/1/cmdline, runs; None if it runs none."""
    words = command.decode(errors="replace").split("\0")
    return next((name for name in PORTS if name in words or f"hookline_{name}" in words), None)


def ask(port: int, token: str = "") -> tuple[bool, str]:
    """Ask the admin port at `port` of this container; return whether the service is ready, and its answer.

    With ADMIN_TOKEN, only who sends it as `token` learns what is wrong.
    """
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n%b\r\n" % authorization.encode())
            with connection.makefile("rb") as answer:
                head, _, text = answer.read().decode(errors="replace").partition("\r\n\r\n")
    except OSError as error:
        return False, f"nothing answers on the admin port {port}: {error}"
    return " 200 " in head.partition("\r\n")[0], text.strip()


def admin_token() -> str:
    """Return the token in ADMIN_TOKEN or in the file of ADMIN_TOKEN_FILE, empty if there is none."""
    with suppress(OSError):
        return (
            Path(os.environ["ADMIN_TOKEN_FILE"]).read_text().strip()
            if "ADMIN_TOKEN_FILE" in os.environ
            else os.environ.get("ADMIN_TOKEN", "")
        )
    return ""


def main() -> int:
    """Return the exit code: 0 if the service is ready or there is none, 1 if it is not ready."""
    name = service(Path("/proc/1/cmdline").read_bytes())
    if name is None:
        return 0
    variable, default = PORTS[name]
    ready, text = ask(int(os.environ.get(variable) or default), admin_token())
    print(f"{name}: {text}")
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(main())
