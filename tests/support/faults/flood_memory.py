"""The memory that a flood can make ingress use, for tests of memory limits."""

from typing import Final

from hookline_ingress.routes import LARGEST_JSON
from hookline_ingress.settings import IngressSettings
from hookline_ingress.spool.rows import MIB

OVERHEAD: Final = 1.2
"""What a half-sent body takes at most for each byte of it."""
_OWN_MIB: Final = 200
"""What ingress takes besides, twice over."""


def flood_mib(settings: IngressSettings) -> float:
    """Return the MiB that ingress takes while every connection has sent all but the end of the largest body."""
    largest = max(LARGEST_JSON, settings.max_body, *(route.max_body or 0 for route in settings.routes))
    return settings.max_connections * largest / MIB * OVERHEAD + _OWN_MIB
