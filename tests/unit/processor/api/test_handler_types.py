"""What a type checker says about handlers: each line with a mistake is found, and no other."""

import subprocess
import sys
from pathlib import Path

_BOT = """
from datetime import timedelta
from functools import partial
from typing import Any
from collections.abc import AsyncIterator

from hookline import (
    CallNext, CallReceived, CallStatus, Context, Handlers, MessageReceived, MessageStatus, RetryLater,
    Reply, RetryPolicy, State, StateKey, StudioEvent, SyncEvent, WebhookEvent,
)

handlers, others = Handlers(), Handlers()
NAMES = StateKey[list[str]]("names")


POLICY = RetryPolicy(base=timedelta(seconds=5), max=60, give_up_on=(ValueError,))


@handlers.on(MessageReceived, timeout=timedelta(seconds=10), retry=POLICY)
async def right(event: MessageReceived, context: Context) -> None:
    names: list[str] = context.state[NAMES]
    anything: int = context.state["anything"]
    media: int = event.num_media or 0
    context.state.get(NAMES, []).append(event.body)
    number: int = event.num_media  # wrong: it may be None
    texts: str = context.state[NAMES]  # wrong: it is a list
    context.state[NAMES] = 5  # wrong: it is a list
    raise RetryLater(timedelta(minutes=1))


@handlers.on(CallReceived, "call.status", breaker="crm")
@others.on(CallStatus)
async def right_for_several(event: CallReceived | CallStatus, context: Context, *, extra: int = 0) -> None: ...


@handlers.on(MessageStatus, CallReceived, CallStatus, StudioEvent, SyncEvent)
def right_for_any(event: WebhookEvent, context: Context) -> int:
    return 5


@handlers.on("message.received", "message.status")
def right_for_strings(event: MessageReceived | MessageStatus, context: Context) -> None: ...


@handlers.lifespan
async def right_lifespan(state: State) -> AsyncIterator[None]:
    state[NAMES] = []
    yield


@handlers.on_startup
def right_hook(state: dict[str, Any]) -> None: ...


@handlers.middleware
async def right_middleware(event: WebhookEvent, context: Context, call_next: CallNext) -> None: ...


class Bot:
    def __call__(self, event: MessageReceived, context: Context) -> None: ...
    async def method(self, event: MessageReceived, context: Context) -> None: ...


handlers.on(MessageReceived)(Bot())
handlers.on(MessageReceived)(Bot().method)
handlers.on(MessageReceived)(lambda event, context: None)
handlers.ignore(MessageReceived, "call.*")
handlers.include(others)
kept: int = right_for_any(event=WebhookEvent, context=5)  # wrong: it keeps its parameters


async def call(event: CallReceived, context: Context) -> None:
    await right_for_several(event, context, extra=3)


@handlers.on(MessageStatus)  # wrong: another class
async def wrong(event: MessageReceived, context: Context) -> None: ...


@handlers.on(MessageReceived, MessageStatus)  # wrong: one of two
async def wrong_for_one(event: MessageReceived, context: Context) -> None: ...


@handlers.on(MessageStatus, CallReceived, CallStatus, StudioEvent, SyncEvent)  # wrong: all but the last
async def wrong_for_the_last(event: MessageStatus | CallReceived | CallStatus | StudioEvent, context: Context) -> None: ...


@handlers.on(WebhookEvent)  # wrong: only some of all
async def wrong_for_others(event: MessageReceived, context: Context) -> None: ...


@handlers.on(MessageReceived)  # wrong: no context
async def without_context(event: MessageReceived) -> None: ...


@handlers.on("message.received")  # wrong: no context
async def without_context_either(event: MessageReceived) -> None: ...


class MessagingResponse:  # as that of the package twilio
    def to_xml(self, xml_declaration: bool = True) -> str:
        raise NotImplementedError


@handlers.on(MessageReceived)
def right_text(event: MessageReceived, context: Context) -> str | None:
    raise NotImplementedError


@handlers.on(MessageReceived)
async def right_list(event: MessageReceived, context: Context) -> list[Reply | str]:
    raise NotImplementedError


@handlers.on(MessageReceived)
async def right_twiml(event: WebhookEvent, context: Context) -> MessagingResponse:
    raise NotImplementedError


@handlers.on(MessageReceived)  # wrong: nothing that can be sent
async def wrong_answer(event: MessageReceived, context: Context) -> bool:
    raise NotImplementedError


@handlers.on(MessageReceived)  # wrong: nothing that can be sent
def wrong_answer_either(event: MessageReceived, context: Context) -> dict[str, str]:
    raise NotImplementedError


@handlers.on(MessageReceived)  # wrong: a list of what cannot be sent
async def wrong_list(event: MessageReceived, context: Context) -> list[int]:
    raise NotImplementedError


@handlers.on(int)  # wrong: no class of an event
async def of_something_else(event: Any, context: Context) -> None: ...


@handlers.on()  # wrong: no kind
async def of_nothing(event: Any, context: Context) -> None: ...


@handlers.lifespan  # wrong: no yield
async def without_yield(state: State) -> None: ...


RetryPolicy(give_up_on=(5,))  # wrong: no class
"""


def test_wrong_handlers_are_found(tmp_path: Path) -> None:
    """`mypy --strict` takes every right way to register something, and finds a mistake in every line marked as wrong."""
    bot = tmp_path / "bot.py"
    bot.write_text(_BOT)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "bot.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = {int(line.split(":")[1]) for line in ran.stdout.splitlines() if ": error: " in line}
    wrong = {number for number, line in enumerate(_BOT.splitlines(), 1) if "# wrong" in line}
    assert found == wrong, ran.stdout + ran.stderr
