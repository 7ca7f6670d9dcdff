"""What becomes of the values that handlers return."""

from typing import Any

import msgspec

from hookline import Context, Handlers, MessageReceived
from hookline.testing import Done, deliver
from hookline_processor.verdicts import Verdict


async def returning(value: object, **params: Any) -> Verdict:
    """Deliver a message to a handler that returns `value`; return the verdict."""
    handlers = Handlers()

    @handlers.on(MessageReceived)
    async def answer(_event: MessageReceived, _context: Context) -> Any:
        return value

    return await deliver(handlers, MessageReceived, **params)


def parameters(outcome: Verdict) -> list[dict[str, Any]]:
    """Return the parameters of each message in the outbox, without its token."""
    assert isinstance(outcome, Done)
    bodies = [msgspec.json.decode(entry.fields[-1]) for entry in outcome.outputs.entries]
    return [{name: value for name, value in body.items() if name != "HooklineToken"} for body in bodies]
