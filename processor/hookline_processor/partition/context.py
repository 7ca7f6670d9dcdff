"""What the partitions of one processor share."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hookline_processor.attempts.attempts import Attempts
from hookline_processor.partition.destinations import Destinations
from hookline_processor.partition.memory_limits import PayloadMemory
from hookline_processor.partition.quarantine import Quarantine
from hookline_processor.partition.slots import Slots
from hookline_processor.partition.waiting.conditions import Conditions
from hookline_processor.partition.waiting.pauses import Pauses
from hookline_processor.partition.waiting.waiting_sets import WaitingTotals
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.observability.logs import Logger
from hookline_shared.topics import Topic


def _no_account(_event: Event) -> str | None:
    return None


def _has_room(_partition: int) -> bool:
    return False


@dataclass(frozen=True)
class PartitionContext:
    """What the partitions of one processor share.

    `window` is the number of events of one topic that a partition has in memory. `unhandled_wait_ms` is how long an event
    waits for a handler, from its receipt. `ledger_has_room` is set while the ledger streams are below their limit; `ledger` is
    whether there are any.
    """

    topics: Mapping[str, Topic]
    window: int
    memory: PayloadMemory
    slots: Slots
    attempts: Attempts
    destinations: Destinations
    quarantine: Quarantine
    pauses: Pauses
    conditions: Conditions
    waiting: WaitingTotals
    unhandled_wait_ms: int
    clock: Clock
    logger: Logger
    ledger_has_room: asyncio.Event
    ledger: bool = False
    closed_account: Callable[[Event], str | None] = _no_account
    """Returns the account whose messages wait, if the event is one of these."""
    outbox_is_full: Callable[[int], bool] = _has_room
    """Returns whether a partition has so many messages to send that it reads nothing else."""
