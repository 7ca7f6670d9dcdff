"""What handlers remember: JSON only, of a limited size, and nothing of an attempt that fails."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hookline import CallNext, Context, Handlers, MessageReceived, UnfitError, WebhookEvent
from hookline.testing import Dead, Done, Reason, Retry, deliver
from hookline_processor.replies.memory import MOST_BYTES, encode
from hookline_shared.streams.memory import memory_digest

handlers = Handlers()


@handlers.on(MessageReceived, memory=True)
async def answer(event: MessageReceived, context: Context) -> str | None:
    history = context.memory.get("history", [])
    context.memory["history"] = [*history, event.body][-2:]
    if event.body == "fail":
        raise ConnectionError
    if event.body == "clear":
        context.memory = {}
    if event.body == "quiet":
        context.memory["history"] = history
        return None
    return " ".join(history) or "nothing yet"


async def test_conversation_is_remembered() -> None:
    """The memory of one outcome is that of the next attempt."""
    first = await deliver(handlers, MessageReceived, Body="one")
    second = await deliver(handlers, MessageReceived, memory=first.memory, Body="two")
    assert first.memory == {"history": ["one"]}
    assert second.memory == {"history": ["one", "two"]}
    assert second.replies[0].body == "one"
    assert (await deliver(handlers, MessageReceived, memory=second.memory, Body="clear")).memory == {}


async def test_failed_attempt_changes_nothing() -> None:
    """Neither one that is retried nor the last one."""
    before = {"history": ["one"]}
    outcome = await deliver(handlers, MessageReceived, memory=before, Body="fail")
    assert isinstance(outcome, Retry)
    assert outcome.memory == before
    outcome = await deliver(handlers, MessageReceived, memory=before, attempt=8, Body="fail")
    assert isinstance(outcome, Dead)
    assert outcome.memory == before


async def test_unchanged_memory_costs_nothing() -> None:
    """It is not written, and an event that sends nothing either is settled like one without memory."""
    outcome = await deliver(handlers, MessageReceived, memory={"history": ["one"]}, Body="quiet")
    assert isinstance(outcome, Done)
    assert outcome.outputs.memory is None
    assert outcome.memory == {"history": ["one"]}


async def test_memory_that_a_reply_rests_on_is_compared_even_if_it_stays() -> None:
    """Otherwise a reply could rest on what another event has changed meanwhile."""
    own = Handlers()

    @own.on(MessageReceived, memory=True)
    async def read(_event: MessageReceived, context: Context) -> str:
        return str(context.memory["name"])

    outcome = await deliver(own, MessageReceived, memory={"name": "Ann"})
    assert isinstance(outcome, Done)
    assert outcome.outputs.memory is not None
    assert (outcome.outputs.memory.text, outcome.outputs.memory.expected) == ("", "earlier")


async def test_call_that_failed_inside_middleware_leaves_nothing() -> None:
    """Middleware may call the handler again, which then finds what was there before."""
    own = Handlers()
    seen: list[Any] = []

    @own.on(MessageReceived, memory=True)
    async def count(_event: MessageReceived, context: Context) -> None:
        seen.append(context.memory.setdefault("count", 0))
        context.memory["count"] += 1
        if len(seen) == 1:
            raise ConnectionError

    @own.middleware
    async def again(event: WebhookEvent, context: Context, call_next: CallNext) -> None:
        try:
            await call_next(event, context)
        except ConnectionError:
            await call_next(event, context)

    outcome = await deliver(own, MessageReceived, memory={"count": 5})
    assert seen == [5, 5]
    assert outcome.memory == {"count": 6}


async def test_handler_without_memory() -> None:
    """It is told how to have one. A fixed handler then finds the event, which is retried."""
    own = Handlers()

    @own.on(MessageReceived)
    async def forgetful(_event: MessageReceived, context: Context) -> None:
        context.memory["a"] = 1

    outcome = await deliver(own, MessageReceived)
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "memory=True" in outcome.failure.message


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "datetime is not JSON serializable"),
        ({"seen": {1, 2}}, "set is not JSON serializable"),
        ({"pair": [{"x": (1, 2)}]}, "a value of type tuple"),
        ({"counts": {1: 2}}, "a key of type int"),
        ({"ratio": float("nan")}, "not JSON compliant"),
        ({"text": "\ud800"}, "surrogate"),
        ({"large": "ä" * (MOST_BYTES // 2)}, f"{MOST_BYTES} are the most"),
    ],
)
async def test_what_cannot_be_stored(value: dict[str, Any], said: str) -> None:
    """It is a dead letter that says what is wrong, and what would fit."""
    own = Handlers()

    @own.on(MessageReceived, memory=True)
    async def store(_event: MessageReceived, context: Context) -> None:
        context.memory = value

    outcome = await deliver(own, MessageReceived)
    assert isinstance(outcome, Dead)
    assert outcome.reason is Reason.UNFIT
    assert said in outcome.failure.message


async def test_memory_is_a_dict() -> None:
    """Anything else is refused where it is assigned."""
    own = Handlers()

    @own.on(MessageReceived, memory=True)
    async def store(_event: MessageReceived, context: Context) -> None:
        context.memory = ["a"]  # type: ignore[assignment]

    outcome = await deliver(own, MessageReceived)
    assert isinstance(outcome, Dead)
    assert "list" in outcome.failure.message


def test_size_limit() -> None:
    """64 KiB fit, and one byte more does not."""
    rest = len('{"text":""}')
    assert len(encode({"text": "x" * (MOST_BYTES - rest)})) == MOST_BYTES
    with pytest.raises(UnfitError, match=str(MOST_BYTES + 1)):
        encode({"text": "x" * (MOST_BYTES - rest + 1)})


def test_nested_too_deeply() -> None:
    """Where Python gives up, so does the attempt, for good."""
    document: dict[str, Any] = {}
    inner = document
    for _ in range(100_000):
        inner["a"] = inner = {}
    with pytest.raises(UnfitError, match="nested too deeply"):
        encode(document)


def test_name_of_a_document() -> None:
    """It tells neither the account nor the numbers, and differs where one of them does."""
    names = {memory_digest(account, key) for account in ("AC1", "AC2") for key in ("+1:+2", "+1:+3")}
    assert len(names) == 4
    assert all(len(name) == 22 for name in names)
