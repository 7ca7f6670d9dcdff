"""The agent, with a model that is a real HTTP server on this machine."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from examples.agent import handlers
from hookline import Message, MessageReceived, Reply
from hookline.testing import Retry, deliver, started

PERSON = "+14155550111"


@dataclass
class Model:
    """Answers with the texts that it got, word by word."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    breaks_off: bool = False

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Stream an answer."""
        self.asked.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        said = self.asked[-1]["messages"][-1]["content"]
        for word in ["You", " wrote:", *(f" {word}" for word in said.split())]:
            chunk = {"choices": [{"delta": {"content": word}}]}
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        if not self.breaks_off:
            await response.write(b"data: [DONE]\n\n")
        return response


@pytest.fixture
async def model(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Model]:
    """Yield a model that runs, and an agent that has started."""
    model = Model()
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", model.complete)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("MODEL_URL", f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    monkeypatch.setenv("AGENT_PERSON", PERSON)
    async with started(handlers):
        yield model
    await runner.cleanup()


async def test_burst_is_one_question(model: Model) -> None:
    """The model gets what was said before, and three texts as one."""
    first = await deliver(handlers, MessageReceived, Body="Hello")
    assert first.replies == [Reply("You wrote: Hello")]
    burst = [{"Body": "do you have"}, {"Body": "bread?"}]
    second = await deliver(handlers, MessageReceived, Body="So", burst=burst, memory=first.memory)
    assert second.replies == [Reply("You wrote: So do you have bread?")]
    assert [one["content"] for one in model.asked[1]["messages"][1:]] == [
        "Hello",
        "You wrote: Hello",
        "So\ndo you have\nbread?",
    ]
    assert len(second.memory["history"]) == 4


async def test_answer_that_breaks_off(model: Model) -> None:
    """Half an answer is not sent, and nothing of it is remembered."""
    model.breaks_off = True
    outcome = await deliver(handlers, MessageReceived, Body="Hello")
    assert isinstance(outcome, Retry)
    assert outcome.memory == {}


async def test_hand_over_and_back(model: Model) -> None:
    """While a person has the conversation, the model is not asked."""
    outcome = await deliver(handlers, MessageReceived, Body="Person")
    assert outcome.replies == [Reply("A person will write to you.")]
    outcome = await deliver(handlers, MessageReceived, Body="Hi there", From="+14155550123", memory=outcome.memory)
    assert outcome.replies == []
    assert outcome.sent == [Message(PERSON, "+14155550123 writes: Hi there")]
    outcome = await deliver(handlers, MessageReceived, Body="bot", memory=outcome.memory)
    assert outcome.replies == [Reply("It is me again.")]
    assert model.asked == []
    assert (await deliver(handlers, MessageReceived, Body="Hello", memory=outcome.memory)).replies != []


async def test_long_answer(model: Model) -> None:
    """It is several texts."""
    outcome = await deliver(handlers, MessageReceived, Body="word " * 400)
    assert len(outcome.replies) == 2
    assert all(len(one.body) <= 1600 for one in outcome.replies)
