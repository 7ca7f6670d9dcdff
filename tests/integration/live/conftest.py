"""An ingress with live routes, handlers, and callers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from hookline import CallReceived, Context, Handlers, MessageReceived, Response
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings, running_ingress
from tests.support.observability.logbook import Logbook
from tests.support.processor.local_processor import running_processor
from tests.support.servers.caller import Caller
from tests.support.storage.stored import PARTITIONS, Stored

CONFIG = """
[[routes]]
path = "/voice"
live = true
fallback = "<Response><Say>call us again</Say></Response>"

[[routes]]
path = "/hook"
live = true
kind = "studio"
fallback = { status = 503 }

[[routes]]
path = "/stream"
live = true
kind = "event.stream"
"""

Answer = Callable[[CallReceived], Awaitable[object]]


@dataclass
class Stack:
    """An ingress and handlers, and the processor that is started when a test wants."""

    settings: dict[str, str]
    clients: list[IngressClient]
    handlers: Handlers
    logbook: Logbook
    exit: AsyncExitStack
    begun: list[CallReceived]
    answer: Answer
    redis: "redis.Redis"

    async def start_processor(self) -> None:
        """Start a processor."""
        await self.exit.enter_async_context(running_processor(self.settings, self.handlers, self.logbook))

    def caller(self) -> Caller:
        """Return somebody who has not called yet."""
        return Caller(self.clients)


def dead_letters(client: "redis.Redis") -> list[dict[str, str]]:
    """Return the fields of every dead letter."""
    found = [fields for partition in range(PARTITIONS) for _, fields in Stored(client).dead_letters(partition)]
    texts = [[word.decode(errors="replace") for word in fields] for fields in found]
    return [dict(zip(words[::2], words[1::2], strict=True)) for words in texts]


async def menu(event: CallReceived) -> object:
    """Answer as an IVR does."""
    if event.digits:
        return f"<Response><Say>you pressed {event.digits}</Say></Response>"
    return "<Response><Gather><Say>press a key</Say></Gather></Response>"


@pytest.fixture
def wait_s() -> str:
    """Return how long a request waits; a test that must not be held waits longer."""
    return "0.3"


@pytest.fixture
async def stack(
    request: pytest.FixtureRequest,
    redis_url: str,
    redis_client: "redis.Redis",
    tmp_path: Path,
    logbook: Logbook,
    wait_s: str,
) -> AsyncIterator[Stack]:
    """Yield an ingress with live routes, without a processor. The parameter is the hold time in seconds."""
    (tmp_path / "hookline.toml").write_text(CONFIG)
    settings = ingress_settings(redis_url) | {
        "HOOKLINE_CONFIG": str(tmp_path / "hookline.toml"),
        "INGRESS_LIVE_WAIT_S": wait_s,
        "INGRESS_HOLD_S": getattr(request, "param", "30"),
        "PROCESSOR_BACKOFF_BASE_S": "0.05",
    }
    handlers = Handlers()
    async with AsyncExitStack() as exits:
        ingress = await exits.enter_async_context(running_ingress(settings))
        stack = Stack(settings, [ingress.client], handlers, logbook, exits, [], menu, redis_client)

        @handlers.on(CallReceived)
        async def call(event: CallReceived, context: Context) -> object:
            stack.begun.append(event)
            return await stack.answer(event)

        handlers.on("studio")(_hook)
        handlers.on(MessageReceived)(_echo)
        yield stack


async def _hook(event: object, context: Context) -> Response:
    return Response('{"ok": true}')


async def _echo(event: object, context: Context) -> None:
    return None
