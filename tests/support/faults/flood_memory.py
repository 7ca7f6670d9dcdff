"""The memory that a flood can make ingress use, for tests of memory limits."""

from typing import Final

from hookline_ingress.settings import IngressSettings

OVERHEAD: Final = 1.2
"""What a half-sent body takes at most for each byte of it."""
CONNECTION_KIB: Final = 16
"""What a connection takes at most beside that."""
_OWN_MIB: Final = 200
"""What ingress takes besides, twice over."""


def flood_mib(settings: IngressSettings) -> float:
    """Return the MiB that ingress takes while connections have sent parts of requests, as many and as much as is allowed."""
    return settings.read_memory_mb * OVERHEAD + settings.max_connections * CONNECTION_KIB / 1024 + _OWN_MIB
