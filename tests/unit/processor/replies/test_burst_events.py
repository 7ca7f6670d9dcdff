"""Bursts as handlers and their tests see them."""

from datetime import timedelta
from typing import Any

import pytest

from hookline import Context, Handlers, HandlersError, MessageReceived
from hookline.testing import deliver, make_event
from hookline_processor.events.events import typed


async def test_handler_gets_all_events() -> None:
    """In order, the first of them as the event; without `burst_s` it is alone."""
    handlers = Handlers()

    @handlers.on(MessageReceived, burst_s=2)
    async def answer(event: MessageReceived, _context: Context) -> str:
        return " ".join(one.body for one in event.burst)

    last = make_event(MessageReceived, Body="there")
    outcome = await deliver(handlers, MessageReceived, Body="hi", burst=[{"Body": "you"}, last])
    assert outcome.replies[0].body == "hi you there"
    assert (await deliver(handlers, MessageReceived, Body="hi")).replies[0].body == "hi"


@pytest.mark.parametrize(
    "options",
    [
        {"burst_s": 0},
        {"burst_s": True},
        {"burst_s": 20},
        {"burst_s": 2, "burst_limit_s": 1},
        {"burst_s": 2, "burst_limit_s": float("inf")},
        {"burst_s": timedelta(seconds=-1)},
    ],
)
def test_times_that_gather_nothing(options: dict[str, Any]) -> None:
    """The error is raised where the handler is registered, and says what to give."""
    with pytest.raises(HandlersError, match="burst_s"):
        Handlers().on(MessageReceived, **options)


def test_included_handlers_count() -> None:
    """Whether there are bursts at all is asked once, when the processor is built."""
    handlers, other = Handlers(), Handlers()
    assert not handlers.has_bursts()

    @other.on(MessageReceived, burst_s=timedelta(seconds=2), burst_limit_s=timedelta(seconds=5))
    def answer(_event: MessageReceived, _context: Context) -> None: ...

    handlers.include(other)
    assert handlers.has_bursts()


def test_personal_values_of_all_events_are_redacted() -> None:
    """Logs may quote any of them."""
    first, second = (typed(make_event(MessageReceived, Body=body)) for body in ("my secret", "another one"))
    first.join([second])
    assert {"my secret", "another one"} <= set(first.personal)
