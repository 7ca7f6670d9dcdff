"""The echo bot."""

from examples.echo_bot import handlers
from hookline import MessageReceived, Reply
from hookline.testing import deliver


async def test_it_answers() -> None:
    """Also who sends no text."""
    assert (await deliver(handlers, MessageReceived, Body="hi")).replies == [Reply("hi")]
    assert (await deliver(handlers, MessageReceived, Body="")).replies == [Reply("I can read texts only.")]
