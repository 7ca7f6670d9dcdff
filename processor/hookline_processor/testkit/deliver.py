"""The test kit: run handlers without Redis and without a processor, on events as Twilio sends them.

>>> async def test_greeting() -> None:
...     assert await deliver(handlers, "message.received", Body="hi", From="+14155550123") == Done()
"""

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hookline_processor.api.handlers import Handlers
from hookline_processor.api.lifespan import HookError, Lifespan
from hookline_processor.api.state import State
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.replies.memory import encode
from hookline_processor.retry_policy import RetryPolicy
from hookline_processor.retry_record import Record
from hookline_processor.samples.webhook import Webhook, sample
from hookline_processor.sender.settings import SenderSettings
from hookline_processor.sender.twilio_client import Twilio
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict
from hookline_shared.catalogue.media import MEDIA_FETCHER
from hookline_shared.catalogue.sids import account_of
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event, new_event_id
from hookline_shared.observability.logs import get_logger
from hookline_shared.streams.memory import StoredMemory

if TYPE_CHECKING:
    from hookline_processor.testkit.fake_twilio import FakeTwilio

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
    interrupted: bool = False,
    memory: Mapping[str, Any] | None = None,
    burst: Sequence[Mapping[str, object] | Event] = (),
    twilio: "FakeTwilio | None" = None,
    **params: object,
) -> Verdict:
    """Run the handler of `event` once, with its middleware and time-out, and return the verdict: `Done`, `Retry` or `Dead`.

    Its `replies` are what the handler returned, as a list of `Reply` and `Message`, its `sent` is what the handler passed to
    `context.send`, and its `memory` what is remembered then. Nothing is sent. `Done` is equal to `Done()` whatever they are.

    - `event`: a kind (a string) or a class of events, from which `make_event` makes an event, or an `Event` to deliver again.
    - `json`, `params`: passed to `make_event`; ignored for an `Event`.
    - `attempt`: an integer, the number of this attempt, from 1.
    - `interrupted`: a bool, whether an earlier run was cut short.
    - `burst`: further events that are handled with this one: the parameters of each, or an `Event`.
    - `twilio`: a `FakeTwilio` from which `event.fetch_media` fetches, such as the fixture `fake_twilio`.
    - `memory`: what is remembered of the conversation, such as the `memory` of an earlier outcome.

    The default settings of the service apply: a time-out of 30 s and the default `RetryPolicy`. Start-up hooks do not run: see
    `started`.

    Raises:
        ValueError: if the kind does not exist, or the class stands for several kinds.
        UnfitError: if `memory` cannot be stored.

    """
    raw = event if isinstance(event, Event) else make_event(event, json=json, **params)
    remembered = _Remembered(memory or {})
    threads = Threads(1)
    api = Twilio(twilio_settings(twilio), SystemClock()) if twilio is not None else None
    token = MEDIA_FETCHER.set(api.fetch_media if api is not None else None)
    try:
        retry, clock, logger = RetryPolicy(), SystemClock(), get_logger("test")
        attempts = Attempts(handlers, _TIMEOUT_S, retry, threads, clock, logger, memories=remembered)
        record = Record(failures=attempt - 1, interrupted=interrupted)
        others = (one if isinstance(one, Event) else make_event(raw.kind, **one) for one in burst)
        following = tuple(InFlightEvent(_TOPIC, f"{number}-0", one) for number, one in enumerate(others, 2))
        return remembered.after(await attempts.make(InFlightEvent(_TOPIC, "1-0", raw, record, burst=following)))
    finally:
        MEDIA_FETCHER.reset(token)
        threads.close()
        if api is not None:
            await api.close()


def twilio_settings(twilio: "FakeTwilio") -> SenderSettings:
    """Return the settings with which a processor sends to `twilio`."""
    return SenderSettings(account_sid=twilio.account, api_secret=twilio.passwords[0], api_url=twilio.url)


class _Remembered:
    """What a test says is remembered of the conversation."""

    def __init__(self, memory: Mapping[str, Any]) -> None:
        self._memory = memory
        self._stored = StoredMemory("earlier", encode(memory))

    async def load(self, _event: Event) -> StoredMemory:
        """Return it."""
        return self._stored

    def after(self, verdict: Verdict) -> Verdict:
        """Return `verdict` with what is remembered after it."""
        if not isinstance(verdict, Done):
            return verdict._replace(memory=self._memory)
        if verdict.outputs.document is not None:
            return verdict
        return Done(dataclasses.replace(verdict.outputs, document=self._memory))


def make_event(kind: str | type[WebhookEvent], /, *, json: object = None, **params: object) -> Event:
    """Return a realistic event of `kind`, a class such as `MessageReceived` or a string such as "message.received".

    `params` replace and add parameters, under Twilio's names; None removes one. `json`, any JSON value, replaces the whole
    body. Every event has new SIDs, so two events are never duplicates.

    Raises:
        ValueError: if the kind does not exist, or the class stands for several kinds.

    """
    kind = kind if isinstance(kind, str) else _kind_of(kind)
    webhook = sample(kind, params)
    if json is not None:
        webhook = Webhook({}, "application/json", msgspec.json.encode(json))
    now_ms = SystemClock().now_ms()
    account = account_of({name: value for name, value in webhook.params.items() if isinstance(value, str)})
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
        method="POST",
    )


def _kind_of(event: type[WebhookEvent]) -> str:
    if event.kind.endswith("*"):
        raise ValueError(f'{event.__name__} stands for several kinds. Name one, such as "conversation.onMessageAdded".')
    return event.kind


@asynccontextmanager
async def started(handlers: Handlers) -> AsyncIterator[State]:
    """Run the start-up hooks and lifespans of `handlers` before the `async with` block, and the shut-down hooks after it.

    Yield the `State` of `handlers`. A test can put a fake into `handlers.state` before the block, if the hooks create only
    missing values. After the block, `handlers.state` has the values that it had before the block.

    Raises:
        HookError: if a start-up hook or a lifespan fails, or a lifespan ends during the block.

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
