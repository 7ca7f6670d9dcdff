"""Free TCP ports on the loopback for servers that cannot choose one themselves, or must keep theirs over a restart.

They lie below the range from which the system takes the ports of outgoing connections. Above that bound a client that keeps
trying a server which is down can be given the server's own port, and then talks to itself.
"""

import random
import socket
from collections import deque
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST: Final = 15000
_USUAL_BOUND: Final = 32768
_CHANCE: Final = random.SystemRandom()  # not seeded, so that xdist workers do not all try the same ports
_BUS: Final = 10_000
"""How far above its port a node of a Redis Cluster listens for the others."""


_RESERVED: Final[deque[socket.socket]] = deque()
_MOST_RESERVED: Final = 200


def free_port() -> int:
    """Return a port on which nothing listens now. Another process may take it first, so callers must retry.

    No other test gets it while this process lives: a server that a test has killed finds it free when it starts again. Only
    the newest ones are reserved, since each takes a file descriptor.
    """
    while not (is_free(port := _CHANCE.randrange(_LOWEST, _bound())) and _reserve(port)):
        pass
    return port


def free_cluster_port() -> int:
    """Return a port for a node of a Redis Cluster, whose second port is free and below the bound, too."""
    while not (is_free(port := _CHANCE.randrange(_LOWEST, _bound() - _BUS)) and is_free(port + _BUS) and _reserve(port)):
        pass
    return port


def _reserve(port: int) -> bool:
    """Reserve `port` among the tests of this machine: by a name that one socket can have, and that goes with its process."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0hookline-test-port-{port}")
    except OSError:
        holder.close()
        return False
    if len(_RESERVED) == _MOST_RESERVED:
        _RESERVED.popleft().close()
    _RESERVED.append(holder)
    return True


def _bound() -> int:
    return int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _USUAL_BOUND


def is_free(port: int) -> bool:
    """Whether nothing listens on `port` now."""
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
