"""Log lines about attempts: debug for a success, warning for a failure, error for an entry that cannot be attempted."""

from logging import DEBUG
from typing import Any, Final

from hookline_processor.api.table import Handler
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.metrics import BODIES_GONE
from hookline_processor.replies.live_answer import unknown_verbs
from hookline_processor.replies.twiml import is_twiml
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry
from hookline_shared.catalogue.kinds import label_of
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.clock import utc
from hookline_shared.live import LiveAnswer, is_call
from hookline_shared.observability.logs import Logger, trace_fields

_REPLAY: Final = "then `hookline dead replay`"
_REMEDIES: Final = {
    Reason.REJECTED: f"the handler refused it; if it should not have, fix the handler, {_REPLAY}",
    Reason.EXHAUSTED: f"fix the handler or what it calls, {_REPLAY}",
    Reason.TIMED_OUT: f"make the handler faster, or give it a longer time-out, {_REPLAY}",
    Reason.UNHANDLED: f"register a handler or ignore the kind, {_REPLAY}",
    Reason.UNFIT: f"return or send what docs/replies.md names, {_REPLAY}",
    Reason.REFUSED: f"do what the error says, {_REPLAY}; a message in it cannot be changed, only sent again or discarded",
    Reason.OPTED_OUT: "none: the recipient wants no messages; discard it with `hookline dead discard`",
    Reason.EXPIRED: "none: the caller has heard the fallback by then; replaying it handles it all the same",
    Reason.UNKNOWN: f"look in Twilio's log whether the recipient got it; if not, {_REPLAY}, which looks first",
}
_POISON: Final = f"the process died each time; see how in the log of what runs it, fix the handler, {_REPLAY}"
_STOPPED: Final = f"the handler, or a child process of it, may have stopped it; or raise PROCESSOR_SHUTDOWN_S, {_REPLAY}"
_MOST_VERBS: Final = 100
_VERB: Final = "check its spelling, capitals included: Twilio ends the call there with error 12200; this is said once"
_EXPIRED: Final = (
    "find out why it was not handled in time: processors or Redis were away, or too slow. Its caller has heard the fallback; "
    'expired = "run" on the route handles such events all the same'
)
_CUT: Final = "it runs again, with `context.interrupted`; raise PROCESSOR_SHUTDOWN_S if handlers need longer"
_CUT_THREAD: Final = "a plain function goes on until the process ends, and runs again, with `context.interrupted`"
_UNDECODABLE: Final = "it is now a dead letter, unchanged; another version of ingress may have written it, or another program"
_PAYLOAD_GONE: Final = "it was deleted from Redis, or lost in a failover, and cannot be recovered"
_NO_HANDLER: Final = (
    "if a version with a handler for the kind is being deployed, none: it takes these events over; else register a handler for "
    "the kind, or ignore it, or they become dead letters"
)
_RETRYING: Final = "none, if the next attempt succeeds; else fix the handler or what it calls before the attempts are used up"
_CANNOT_STOP: Final = "a plain function cannot be stopped, so its conversation waits; use time-outs inside it, or async def"
_LET_CANCEL: Final = "it ignores its cancellation, so its conversation waits; do not catch asyncio.CancelledError"


class AttemptLog:
    """Writes log lines about attempts. `detailed` is whether the level is debug."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._kinds_without_handler: set[str] = set()
        self._unknown_verbs: set[str] = set()
        self.detailed = logger.is_enabled_for(DEBUG)

    def succeeded(self, handler: Handler | None, in_flight: InFlightEvent, verdict: Done | Retry, seconds: float) -> None:
        """Log an attempt that succeeded or raised `RetryLater`. `handler` is None for an ignored kind."""
        message = "event ignored" if handler is None else "event done" if isinstance(verdict, Done) else "event postponed"
        self._logger.debug(message, **_event_fields(handler, in_flight), seconds=round(seconds, 6), **_verdict_fields(verdict))

    def failed(self, handler: Handler | None, in_flight: InFlightEvent, verdict: Retry | Dead, failure: Failure) -> None:
        """Log a failed attempt. `failure` is redacted; `handler` is None if no handler is registered."""
        dead = isinstance(verdict, Dead)
        fields = _event_fields(handler, in_flight) | {"error": f"{failure.type}: {failure.message}"}
        if failure.traceback:
            fields["traceback"] = failure.traceback
        remedy = _REMEDIES[verdict.reason] if isinstance(verdict, Dead) else _RETRYING
        self._logger.warning("event is dead" if dead else "attempt failed", **fields, **_verdict_fields(verdict), remedy=remedy)

    def poison(self, in_flight: InFlightEvent) -> None:
        """Log an event that is not attempted because the process died in earlier attempts."""
        record = in_flight.record
        fields = _event_fields(None, in_flight) | {"attempt": record.failures + record.begun + record.cut}
        remedy = _STOPPED if record.cut > record.begun else _POISON
        self._logger.error("event is poison", **fields, reason=Reason.POISON.value, remedy=remedy)

    def note_verbs(self, event: WebhookEvent, answer: LiveAnswer) -> None:
        """Log the verbs in the answer to a call that Twilio does not know, each once."""
        if not is_call(event.raw.kind) or not is_twiml(answer.body):
            return
        for verb in unknown_verbs(answer.body):
            if verb not in self._unknown_verbs and len(self._unknown_verbs) < _MOST_VERBS:
                self._unknown_verbs.add(verb)
                self._logger.warning("twiml has a verb that twilio does not know", verb=verb, remedy=_VERB)

    def expired(self, in_flight: InFlightEvent) -> None:
        """Log a live event that is not attempted, since nobody waits for it any more."""
        self._logger.warning("event expired", **_event_fields(None, in_flight), remedy=_EXPIRED)

    def cut(self, handler: Handler | None, in_flight: InFlightEvent, seconds: float, reason: str) -> None:
        """Log an attempt that is withdrawn after `seconds`."""
        remedy = _CUT if handler is None or handler.is_async else _CUT_THREAD
        fields = _event_fields(handler, in_flight)
        self._logger.warning("handler cut short", **fields, seconds=round(seconds, 3), reason=reason, remedy=remedy)

    def without_handler(self, in_flight: InFlightEvent, until_ms: int) -> None:
        """Log an event that waits for a handler until `until_ms`, Unix time in ms: the first one of each kind."""
        kind = label_of(in_flight.event.kind)
        if kind not in self._kinds_without_handler:
            self._kinds_without_handler.add(kind)
            fields = _event_fields(None, in_flight) | {"waits_until": utc(until_ms)}
            self._logger.warning("no handler for this kind; its events wait for one", **fields, remedy=_NO_HANDLER)

    def gone(self, topic: str, entry_id: str) -> None:
        """Log and count an entry whose body is gone."""
        BODIES_GONE.labels(topic).inc()
        self._logger.error("body of a pending entry is gone", topic=topic, entry_id=entry_id, remedy=_PAYLOAD_GONE)

    def undecodable(self, topic: str, entry_id: str) -> None:
        """Log an entry that cannot be decoded."""
        self._logger.error("entry cannot be decoded", topic=topic, entry_id=entry_id, remedy=_UNDECODABLE)

    def overdue(self, handler: Handler, event_id: str, timeout_s: float, *, in_thread: bool) -> None:
        """Log a handler that is still running after its time-out of `timeout_s` seconds."""
        self._logger.warning(
            "handler overdue",
            handler=handler.name,
            event_id=event_id,
            timeout_s=timeout_s,
            remedy=_CANNOT_STOP if in_thread else _LET_CANCEL,
        )


def _event_fields(handler: Handler | None, in_flight: InFlightEvent) -> dict[str, Any]:
    event = in_flight.event
    named = {"handler": handler.name} if handler is not None else {}
    fields = {
        "event_id": event.id,
        "kind": event.kind,
        "topic": in_flight.topic,
        **named,
        "attempt": in_flight.record.failures + 1,
    }
    return fields | trace_fields(event.traceparent)


def _verdict_fields(verdict: Done | Retry | Dead) -> dict[str, str]:
    match verdict:
        case Retry(record):
            return {"next_at": utc(record.next_at)}
        case Dead(reason):
            return {"reason": reason.value}
    return {}
