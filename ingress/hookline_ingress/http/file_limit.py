"""How many files, and so connections, this process may have open."""

import resource
from typing import Final

_OTHERS: Final = 256
"""For everything that is no connection from outside: Redis, the spool, the admin port, logs."""


def allow_connections(wanted: int) -> int:
    """Raise the process's limit of open files as far as it may; return how many connections fit, at most `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHERS
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OTHERS))
