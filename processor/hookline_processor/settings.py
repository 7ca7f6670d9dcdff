"""The settings of the processor."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from hookline_processor.ledger.settings import SettingsWithLedger
from hookline_shared.settings.base import Port

_WINDOW: Final = 500
_EVENTS_PER_TOPIC: Final = 8000
"""Events of one topic in memory, over all partitions; an event takes about 2 kB."""
_MIN_WINDOW: Final = 20
SETTLE_RESERVE_S: Final = 2.0
"""Time after the longest handler time-out at a stop or handover: for the handler to end, and to settle its event."""
LONGEST_DEFAULT_SHUTDOWN_S: Final = 40.0
"""With what follows the handlers, as long as the deployments in deploy/ wait before they kill a processor."""
_LOCATION = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


def _location(location: str) -> str:
    path, _, attribute = location.partition(":")
    if path.endswith(".py") or "/" in path:
        raise ValueError(f"it names a file; write it as Python imports it, {_as_imported(Path(path), attribute or 'handlers')}")
    if not _LOCATION.match(location):
        raise ValueError("it must be written module:attribute, for example bot:handlers")
    return location


def _as_imported(path: Path, attribute: str) -> str:
    folders, name = path.parts[:-1], path.stem or "bot"
    from_there = f"{name}:{attribute} when started in {path.parent}"
    if path.is_absolute() or ".." in folders:
        return from_there
    return f"{'.'.join([*folders, name])}:{attribute}{f', or {from_there}' if folders else ''}"


class ProcessorSettings(SettingsWithLedger):
    """The settings of the processor."""

    handlers: Annotated[str, AfterValidator(_location)] | None = Field(
        None,
        validation_alias="PROCESSOR_HANDLERS",
        description="Your Handlers object, as module:attribute. Without it, events are logged and settled",
    )
    concurrency: int = Field(
        100, validation_alias="PROCESSOR_CONCURRENCY", description="Largest number of handlers that run at the same time", ge=1
    )
    window: int | None = Field(
        None,
        validation_alias="PROCESSOR_WINDOW",
        description="Events in memory for each topic and partition; further events stay in Redis. By default 500. With more "
        "than 16 partitions, the default is lower, so that a topic has at most 8000 in memory",
        ge=1,
    )
    window_mb: int = Field(
        32,
        validation_alias="PROCESSOR_WINDOW_MB",
        description="Megabytes of events in memory, over all topics and partitions; further events stay in Redis",
        ge=1,
    )
    blocking_pool_size: int | None = Field(
        None,
        validation_alias="REDIS_BLOCKING_POOL_SIZE",
        description="Size of the pool of connections for blocking reads, for each Redis master. The default, twice "
        "HOOKLINE_PARTITIONS, is also the minimum",
        ge=1,
    )
    admin_host: str = Field("127.0.0.1", validation_alias="PROCESSOR_ADMIN_HOST", description="Address of the admin port")
    admin_port: Port = Field(
        9081, validation_alias="PROCESSOR_ADMIN_PORT", description="Port of health checks and metrics (admin port)"
    )
    lease_s: float = Field(
        10,
        validation_alias="PROCESSOR_LEASE_S",
        description="Duration of a lease in seconds. When a processor has died or cannot reach Redis for this time, others "
        "take its partitions",
        ge=1,
    )
    shutdown_s: float | None = Field(
        None,
        validation_alias="PROCESSOR_SHUTDOWN_S",
        description="Seconds that running handlers get to finish at shutdown. By default the longest time-out of any handler "
        "plus 2 s, at most 40. Docker, systemd or Kubernetes must wait 18 s longer before it kills the process",
        ge=0,
    )
    unhandled_wait_s: float = Field(
        600,
        validation_alias="PROCESSOR_UNHANDLED_WAIT_S",
        description="Age in seconds at which an event without a handler for its kind becomes a dead letter",
        ge=0,
    )
    max_attempts: int = Field(
        8,
        validation_alias="PROCESSOR_MAX_ATTEMPTS",
        description="Number of failed attempts after which an event becomes a dead letter",
        ge=1,
    )
    backoff_base_s: float = Field(
        1,
        validation_alias="PROCESSOR_BACKOFF_BASE_S",
        description="Upper bound in seconds of the delay before the first retry. It doubles with each failure",
        gt=0,
    )
    backoff_max_s: float = Field(
        300,
        validation_alias="PROCESSOR_BACKOFF_MAX_S",
        description="Upper bound in seconds of the delay before any retry",
        gt=0,
    )
    breaker_failures: int = Field(
        5,
        validation_alias="PROCESSOR_BREAKER_FAILURES",
        description="Consecutive failures of different events that open the circuit breaker of a handler (breaker=...)",
        ge=1,
    )
    handler_timeout_s: float = Field(
        30, validation_alias="PROCESSOR_HANDLER_TIMEOUT_S", description="Time limit of a handler in seconds", gt=0
    )

    def window_size(self) -> int:
        """Return the number of events of one topic and partition that are kept in memory."""
        return self.window or min(_WINDOW, max(_MIN_WINDOW, _EVENTS_PER_TOPIC // self.partitions))

    def shutdown_time_s(self, longest_timeout_s: float) -> float:
        """Return the seconds that running handlers get at shutdown. `longest_timeout_s` is the longest time-out of any."""
        if self.shutdown_s is not None:
            return self.shutdown_s
        return min(longest_timeout_s + SETTLE_RESERVE_S, LONGEST_DEFAULT_SHUTDOWN_S)

    def cuts_handlers(self, longest_timeout_s: float) -> str | None:
        """Return why a stop may cut handlers that are within their time-out, or None if it does not."""
        shutdown_s = self.shutdown_time_s(longest_timeout_s)
        if shutdown_s >= longest_timeout_s + SETTLE_RESERVE_S:
            return None
        return f"handlers may take {longest_timeout_s:g} s, and get {shutdown_s:g} s when the processor stops"

    @field_validator("blocking_pool_size")
    @classmethod
    def _two_for_each_partition(cls, size: int | None, others: ValidationInfo) -> int | None:
        if size is not None and size < 2 * others.data.get("partitions", 0):
            raise ValueError("it is less than twice HOOKLINE_PARTITIONS, and each partition reads on one and waits on another")
        return size
