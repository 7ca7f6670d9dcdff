"""Handlers that answer: every message, or all texts of a burst with how many texts the conversation has had."""

from hookline import Context, Handlers, MessageReceived

echo = Handlers()
agent = Handlers()


@echo.on(MessageReceived)
async def answer(event: MessageReceived, _context: Context) -> str:
    """Answer with the same text."""
    return event.body


@agent.on(MessageReceived, burst_s=1, memory=True)
async def answer_all(event: MessageReceived, context: Context) -> str:
    """Answer with the number of texts so far, and those of the burst."""
    texts = [one.body for one in event.burst]
    context.memory["number"] = context.memory.get("number", 0) + len(texts)
    return f"{context.memory['number']}: {' '.join(texts)}"
