"""What is logged of events: a line of level debug for each attempt that ended well, a warning for each that failed, and an
error for what cannot even be attempted."""

from logging import DEBUG
from typing import Any, Final

from hookline_processor.api.table import Handler
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry
from hookline_shared.clock import utc
from hookline_shared.observability.logs import Logger, trace_fields

_REPLAY: Final = "then `hookline dead replay`"
_REMEDIES: Final = {
    Reason.REJECTED: f"the handler refused it; if it should not have, fix the handler, {_REPLAY}",
    Reason.EXHAUSTED: f"fix the handler or what it calls, {_REPLAY}",
    Reason.TIMED_OUT: f"make the handler faster, or give it a longer time-out, {_REPLAY}",
    Reason.UNHANDLED: f"register a handler or ignore the kind, {_REPLAY}",
}
_POISON: Final = f"the process died each time; see how in the log of what runs it, fix the handler, {_REPLAY}"
_UNDECODABLE: Final = "it is now a dead letter, unchanged; another version of ingress may have written it, or another program"
_GONE: Final = "it was deleted from Redis, or lost in a failover, and cannot be recovered"
_WAIT: Final = "none, if the next attempt succeeds; else fix the handler or what it calls before the attempts are used up"
_CANNOT_STOP: Final = "a plain function cannot be stopped, so its conversation waits; use time-outs inside it, or async def"
_LET_CANCEL: Final = "it ignores its cancellation, so its conversation waits; do not catch asyncio.CancelledError"


class AttemptLog:
    """Writes these lines. `detailed` tells whether those of level debug are wanted."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self.detailed = logger.is_enabled_for(DEBUG)

    def succeeded(self, handler: Handler | None, held: InFlightEvent, verdict: Done | Retry, seconds: float) -> None:
        """Note an attempt that raised nothing, or asked for another one. Without a handler, the kind is ignored."""
        what = "event ignored" if handler is None else "event done" if isinstance(verdict, Done) else "event postponed"
        self._logger.debug(what, **_about(handler, held), seconds=round(seconds, 6), **_next(verdict))

    def failed(self, handler: Handler | None, held: InFlightEvent, verdict: Retry | Dead, failure: Failure) -> None:
        """Warn of an attempt that failed; `failure` is without what is personal. Without a handler, there is none."""
        dead = isinstance(verdict, Dead)
        facts = _about(handler, held) | {"error": f"{failure.type}: {failure.message}"}
        if failure.traceback:
            facts["traceback"] = failure.traceback
        remedy = _REMEDIES[verdict.reason] if isinstance(verdict, Dead) else _WAIT
        self._logger.warning("event is dead" if dead else "attempt failed", **facts, **_next(verdict), remedy=remedy)

    def poison(self, held: InFlightEvent) -> None:
        """Report an event that is not attempted, since the process died of it."""
        about = _about(None, held) | {"attempt": held.record.failures + held.record.begun}
        self._logger.error("event is poison", **about, reason=Reason.POISON.value, remedy=_POISON)

    def unattempted(self, held: InFlightEvent, *, gone: bool) -> None:
        """Report an entry that is `gone`, or no event at all."""
        what, remedy = ("body of a pending entry is gone", _GONE) if gone else ("entry cannot be decoded", _UNDECODABLE)
        self._logger.error(what, topic=held.topic, entry_id=held.entry_id, remedy=remedy)

    def overdue(self, handler: Handler, event_id: str, timeout_s: float) -> None:
        """Warn of a handler that goes on after its time-out."""
        self._logger.warning(
            "handler overdue",
            handler=handler.name,
            event_id=event_id,
            timeout_s=timeout_s,
            remedy=_LET_CANCEL if handler.is_async else _CANNOT_STOP,
        )


def _about(handler: Handler | None, held: InFlightEvent) -> dict[str, Any]:
    event = held.event
    named = {"handler": handler.name} if handler is not None else {}
    facts = {"event_id": event.id, "kind": event.kind, "topic": held.topic, **named, "attempt": held.record.failures + 1}
    return facts | trace_fields(event.traceparent)


def _next(verdict: Done | Retry | Dead) -> dict[str, str]:
    match verdict:
        case Retry(record):
            return {"next_at": utc(record.next_at)}
        case Dead(reason):
            return {"reason": reason.value}
    return {}
