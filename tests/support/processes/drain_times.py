"""The longest time that the services may take to stop, from the code. Stop timeouts must be longer."""

from math import inf
from typing import Final

from hookline_ingress.settings import IngressSettings
from hookline_processor import app as processor_app
from hookline_processor.api import lifespan
from hookline_processor.ledger import service as ledger
from hookline_processor.partition import execution, partition
from hookline_processor.settings import ProcessorSettings
from hookline_shared.lifecycle import service

_LEASE_REQUESTS_AT_STOP: Final = 3
"""A round that is under way, leaving, and giving back; each may wait for its answer."""


def ingress_drain_s(settings: IngressSettings) -> float:
    """Return the seconds that ingress may take, but for its disk: requests under way, and tasks that do not end."""
    return settings.shutdown_s + service._CANCEL_TIMEOUT_S


def processor_drain_s(settings: ProcessorSettings) -> float:
    """Return the seconds that a processor may take: handlers, their cancellation and settlement, leases, the ledger, hooks,
    and tasks that do not end."""
    handlers_s = settings.shutdown_time_s(inf) + execution._CANCEL_TIMEOUT_S + partition._SETTLE_RESERVE_S
    leases_s = _LEASE_REQUESTS_AT_STOP * settings.lease_s / processor_app._LEASE_REQUESTS
    return handlers_s + leases_s + ledger._FLUSH_TIMEOUT_S + lifespan._SHUTDOWN_TIMEOUT_S + service._CANCEL_TIMEOUT_S
