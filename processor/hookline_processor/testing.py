"""Testing handlers without Redis and without a running processor: events as Twilio would send them, and what becomes of them.

>>> async def test_greeting() -> None:
...     assert await deliver(handlers, "message.received", Body="hi", From="+14155550123") == Done()
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from hookline_processor.api.handlers import Handlers
from hookline_processor.api.lifespan import HookError, Lifespan
from hookline_processor.api.state import State
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.events.webhook_event import WebhookEvent
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.retry import Record, RetryPolicy
from hookline_processor.samples.webhook import Webhook, sample
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event, new_event_id
from hookline_shared.observability.logs import get_logger

__all__ = [
    "Dead",
    "Done",
    "Event",
    "Failure",
    "HookError",
    "Reason",
    "Record",
    "Retry",
    "State",
    "Verdict",
    "deliver",
    "make_event",
    "started",
]

_TIMEOUT_S: Final = 30.0
_TOPIC: Final = "messages"


async def deliver(
    handlers: Handlers,
    event: str | type[WebhookEvent] | Event,
    /,
    *,
    json: object = None,
    attempt: int = 1,
    **params: object,
) -> Verdict:
    """Run the handler of `event`, with its middleware and time-out, and return the verdict.

    `event` is a kind or the class of one, of which an event is made as by `make_event`, or an event that was made before, to be
    delivered again. `attempt` is the number of this attempt, from 1. The defaults of the service's settings apply. Start-up
    hooks are not run: see `started`.

    Raises:
        ValueError: if there is no such kind, or the class stands for several.

    """
    raw = event if isinstance(event, Event) else make_event(event, json=json, **params)
    threads = Threads(1)
    try:
        attempts = Attempts(handlers, _TIMEOUT_S, RetryPolicy(), threads, SystemClock(), get_logger("test"))
        return await attempts.make(InFlightEvent(_TOPIC, "1-0", raw, Record(failures=attempt - 1)))
    finally:
        threads.close()


def make_event(kind: str | type[WebhookEvent], /, *, json: object = None, **params: object) -> Event:
    """Return an event of `kind`, such as `MessageReceived` or "message.received": realistic but for `params`.

    `params` have Twilio's names; None leaves one out. Each event has SIDs of its own, so two are never the same event. With
    `json`, that is the whole body.

    Raises:
        ValueError: if there is no such kind, or the class stands for several.

    """
    kind = kind if isinstance(kind, str) else _kind_of(kind)
    webhook = sample(kind, params)
    if json is not None:
        webhook = Webhook({}, "application/json", msgspec.json.encode(json))
    now_ms = SystemClock().now_ms()
    account = str(webhook.params.get("AccountSid", ""))
    return Event(
        id=new_event_id(now_ms),
        kind=kind,
        key=f"{webhook.params.get('From', '')}:{webhook.params.get('To', '')}",
        dedupe_key=f"{account}:{kind}:{hashlib.sha256(webhook.body).hexdigest()[:32]}",
        received_at=now_ms,
        account=account,
        content_type=webhook.content_type,
        target="/twilio",
        body=webhook.body,
    )


def _kind_of(event: type[WebhookEvent]) -> str:
    if event.kind.endswith("*"):
        raise ValueError(f'{event.__name__} stands for several kinds. Name one, such as "conversation.onMessageAdded".')
    return event.kind


@asynccontextmanager
async def started(handlers: Handlers) -> AsyncIterator[State]:
    """Run start-up hooks and lifespans of `handlers` before, and what is to run at shut-down after what is in the `async with`.

    It yields `state`.

    Afterwards `state` is what it was before. So a test can put a fake there, for hooks that make only what is missing.

    Raises:
        HookError: if a start-up hook or a lifespan fails, also one that ends meanwhile.

    """
    before = dict(handlers.state)
    lifespan = Lifespan(handlers, SystemClock(), get_logger("test"))
    try:
        await lifespan.start()
        yield handlers.state
        lifespan.raise_failure()
    finally:
        await lifespan.stop()
        handlers.state.clear()
        handlers.state.update(before)
