"""Attempts of handlers at one event, as a processor makes them."""

from typing import TYPE_CHECKING

from hookline import Handlers, RetryPolicy
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import Verdict
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event
from hookline_shared.observability.logs import get_logger
from hookline_shared.parsing.forms import FORM

if TYPE_CHECKING:
    pass


def held(record: Record | None = None, kind: str = "message.received") -> InFlightEvent:
    body = b"MessageSid=SM1&From=%2B14155550123&Body=my+secret"
    event = Event(id="e1", kind=kind, key="k", dedupe_key="d", received_at=0, content_type=FORM, target="/twilio", body=body)
    return InFlightEvent("messages", "1-0", event, record or Record())


def attempts_of(handlers: Handlers, threads: Threads) -> Attempts:
    return Attempts(handlers, 5, RetryPolicy(max_attempts=3), threads, SystemClock(), get_logger("test"))


async def attempt(handlers: Handlers, threads: Threads, record: Record | None = None) -> Verdict:
    return await attempts_of(handlers, threads).make(held(record))
