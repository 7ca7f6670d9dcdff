"""An agent on a language model, which answers texts, and hands over to a person.

    hookline up --handlers examples.agent:handlers

MODEL_URL is the base of an API with streamed chat completions, such as https://api.example.com/v1, MODEL_KEY its key, and
MODEL_NAME the model. AGENT_PERSON is the number of a person: who writes "person" is handed over, until they write "bot".
"""

import json
import os
from collections.abc import AsyncIterator
from textwrap import wrap
from typing import Any

import aiohttp

from hookline import Context, Handlers, Message, MessageReceived, State, StateKey

PROMPT = {"role": "system", "content": "You answer the customers of a bakery by SMS, briefly."}
LONGEST = 1600
"""Characters of a text. Longer answers are several texts."""

handlers = Handlers()
SESSION = StateKey[aiohttp.ClientSession]("session")


@handlers.lifespan
async def connect(state: State) -> AsyncIterator[None]:
    """Keep connections to the model open."""
    async with aiohttp.ClientSession(os.environ["MODEL_URL"].rstrip("/") + "/") as state[SESSION]:
        yield


@handlers.on(MessageReceived, burst_s=2, memory=True, timeout=60, breaker="model")
async def answer(event: MessageReceived, context: Context) -> list[str] | None:
    """Answer all texts of a burst at once; or pass them to a person. What was said is remembered with the answer, or not."""
    said = "\n".join(one.body for one in event.burst)
    memory = context.memory
    if said.strip().lower() in ("person", "bot"):
        memory["with_person"] = said.strip().lower() == "person"
        return ["A person will write to you."] if memory["with_person"] else ["It is me again."]
    if memory.get("with_person"):
        context.send(Message(os.environ["AGENT_PERSON"], f"{event.from_} writes: {said}"[:LONGEST]))
        return None
    history = [*memory.get("history", []), {"role": "user", "content": said}]
    text = "".join([part async for part in complete(context.state[SESSION], history)])
    memory["history"] = [*history, {"role": "assistant", "content": text}][-20:]
    return wrap(text, LONGEST, replace_whitespace=False) or None


async def complete(session: aiohttp.ClientSession, history: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Yield the answer of the model, piece by piece. If it breaks off, the attempt fails, and the texts are answered later."""
    body = {"model": os.environ.get("MODEL_NAME", "default"), "messages": [PROMPT, *history], "stream": True}
    headers = {"Authorization": f"Bearer {os.environ.get('MODEL_KEY', '')}"}
    async with session.post("chat/completions", json=body, headers=headers, raise_for_status=True) as response:
        async for line in response.content:
            data = line.decode().removeprefix("data:").strip()
            if data == "[DONE]":
                return
            if data:
                yield json.loads(data)["choices"][0]["delta"].get("content") or ""
    raise ConnectionError("the answer of the model breaks off")
