"""The settings of the processor."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from msgspec import Meta

from hookline_processor.forward.settings import SigningSettings
from hookline_processor.ledger.settings import SettingsWithLedger
from hookline_processor.sender.settings import SENDER_FALLBACKS, SenderSettings
from hookline_shared.forwards import with_url
from hookline_shared.settings.base import Port
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.validation import AtLeastOne, Check, NotNegative, Positive, Variable

_WINDOW: Final = 500
_EVENTS_PER_TOPIC: Final = 16_000
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


def _unsignable(valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield that forwards lack what their signatures need."""
    forwards, signing = with_url(valid.get("forward", ()), valid.get("forward_url")), valid.get("signing")
    if signing is None or not forwards:
        return
    named = "forward" if valid.get("forward") else "forward_url"
    if any(one.sign == "target" for one in forwards) and not (signing.auth_tokens or signing.tokens_path):
        yield named, "the processor signs for the app, and has no TWILIO_AUTH_TOKEN and no TWILIO_TOKENS_PATH"
    if any(one.sign == "original" for one in forwards) and not signing.public_urls:
        yield named, 'sign = "original" tells the app which URL Twilio called, and the processor has no PUBLIC_URL'
    bases = {url.rstrip("/").lower() for url in signing.public_urls}
    if loops := [one.path for one in forwards if one.origin in bases]:
        yield named, f"the url of {', '.join(loops)} is PUBLIC_URL, so it leads back to ingress"


class ProcessorSettings(SettingsWithLedger, frozen=True, kw_only=True):
    """The settings of the processor."""

    fallbacks: ClassVar[tuple[Fallback, ...]] = (*SettingsWithLedger.fallbacks, *SENDER_FALLBACKS)

    handlers: Annotated[
        str | None,
        Check(_location),
        Variable("PROCESSOR_HANDLERS", "Your Handlers object, as module:attribute. Without it, events are logged and settled"),
    ] = None
    concurrency: Annotated[
        AtLeastOne, Variable("PROCESSOR_CONCURRENCY", "Largest number of handlers that run at the same time")
    ] = 100
    window: Annotated[
        AtLeastOne | None,
        Variable(
            "PROCESSOR_WINDOW",
            "Events in memory for each topic and partition; further events stay in Redis. By default 500. With "
            "more than 32 partitions, the default is lower, so that a topic has at most 16000 in memory",
        ),
    ] = None
    window_mb: Annotated[
        AtLeastOne,
        Variable(
            "PROCESSOR_WINDOW_MB",
            "Megabytes of events in memory, over all topics and partitions; further events stay in Redis",
        ),
    ] = 32
    blocking_pool_size: Annotated[
        AtLeastOne | None,
        Variable(
            "REDIS_BLOCKING_POOL_SIZE",
            "Size of the pool of connections for blocking reads, for each Redis master. The default, twice "
            "HOOKLINE_PARTITIONS, is also the minimum",
        ),
    ] = None
    admin_host: Annotated[str, Variable("PROCESSOR_ADMIN_HOST", "Address of the admin port")] = "127.0.0.1"
    admin_port: Annotated[Port, Variable("PROCESSOR_ADMIN_PORT", "Port of health checks and metrics (admin port)")] = 9081
    lease_s: Annotated[
        float,
        Meta(ge=1),
        Variable(
            "PROCESSOR_LEASE_S",
            "Duration of a lease in seconds. When a processor has died or cannot reach Redis for this time, "
            "others take its partitions",
        ),
    ] = 10
    shutdown_s: Annotated[
        NotNegative | None,
        Variable(
            "PROCESSOR_SHUTDOWN_S",
            "Seconds that running handlers get to finish at shutdown. By default the longest time-out of any "
            "handler plus 2 s, at most 40. Docker, systemd or Kubernetes must wait 18 s longer before it kills "
            "the process",
        ),
    ] = None
    unhandled_wait_s: Annotated[
        NotNegative,
        Variable(
            "PROCESSOR_UNHANDLED_WAIT_S",
            "Age in seconds at which an event without a handler for its kind becomes a dead letter",
        ),
    ] = 600
    max_attempts: Annotated[
        AtLeastOne, Variable("PROCESSOR_MAX_ATTEMPTS", "Number of failed attempts after which an event becomes a dead letter")
    ] = 8
    backoff_base_s: Annotated[
        Positive,
        Variable(
            "PROCESSOR_BACKOFF_BASE_S",
            "Upper bound in seconds of the delay before the first retry. It doubles with each failure",
        ),
    ] = 1
    backoff_max_s: Annotated[
        Positive, Variable("PROCESSOR_BACKOFF_MAX_S", "Upper bound in seconds of the delay before any retry")
    ] = 300
    breaker_failures: Annotated[
        AtLeastOne,
        Variable(
            "PROCESSOR_BREAKER_FAILURES",
            "Consecutive failures of different events that open the circuit breaker of a handler (breaker=...)",
        ),
    ] = 5
    handler_timeout_s: Annotated[Positive, Variable("PROCESSOR_HANDLER_TIMEOUT_S", "Time limit of a handler in seconds")] = 30

    sender: SenderSettings
    signing: SigningSettings

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be logged."""
        tokens = (one.rpartition("=")[2] for one in self.signing.auth_tokens)
        return (*super().secrets(), *self.sender.secrets, *tokens)

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

    @classmethod
    def contradictions(cls, valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield that the pool is too small for the partitions, and that forwards cannot be signed."""
        yield from _unsignable(valid)
        size = valid.get("blocking_pool_size")
        if size is not None and size < 2 * valid.get("partitions", 0):
            yield (
                "blocking_pool_size",
                "it is less than twice HOOKLINE_PARTITIONS, and each partition reads on one and waits on another",
            )
