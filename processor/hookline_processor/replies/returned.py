"""From what a handler returned and sent to the messages in the outbox. Pure."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from hookline_processor.replies.live_answer import answer_to
from hookline_processor.replies.message import Message, Reply, UnfitError, parameters_of
from hookline_processor.replies.outbox_events import outbox_entry
from hookline_processor.replies.outputs import Outputs
from hookline_processor.replies.twiml import is_twiml, messages_of
from hookline_shared.catalogue.products.messaging import MessageReceived, MessageStatus
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.live import live_of

MOST_MESSAGES: Final = 50
"""Messages of one event. Each is in the step that settles it."""
_WHAT: Final = "Return None, a str, a Reply, a list of these, or the TwiML of a MessagingResponse"


def outputs_of(event: WebhookEvent, returned: object, sent: Sequence[Message], now_ms: int) -> Outputs:
    """Return what the handler of `event` leaves behind: it sent `sent`, and then returned `returned`.

    Raises:
        UnfitError: if that is nothing that can be sent for such an event.

    """
    if isinstance(returned, Outputs):
        return returned
    answer = answer_to(event, returned) if live_of(event.raw.dedupe_key) is not None else None
    replies = [] if answer is not None else list(_replies(event, returned))
    if len(sent) + len(replies) > MOST_MESSAGES:
        raise UnfitError(f"The event sends {len(sent) + len(replies)} messages, and {MOST_MESSAGES} are the most.")
    numbered = enumerate(chain(sent, replies))
    try:
        entries = [outbox_entry(event.raw, number, _parameters(event, one), now_ms) for number, one in numbered]
    except UnicodeEncodeError:
        raise UnfitError("A message has half of a surrogate pair, which UTF-8 cannot encode.") from None
    return Outputs(entries, sent, replies, answer=answer)


def _replies(event: WebhookEvent, returned: object) -> Iterator[Reply | Message]:
    if returned is None:
        return
    if not isinstance(event, MessageReceived):
        raise UnfitError(
            f"The handler of {event.raw.kind} returned {_described(returned)}, and only messages can be answered so, and calls "
            "and hooks on live routes. Return None, or set live = true for the route; context.send sends messages to anybody."
        )
    for one in returned if isinstance(returned, list | tuple) else (returned,):
        if one is not None:
            yield from _reply(event, one)


def _reply(event: MessageReceived, returned: object) -> Iterator[Reply | Message]:
    if isinstance(returned, Reply | Message):
        yield returned
        return
    text = returned if isinstance(returned, str) else _as_twiml(returned)
    if text is None:
        raise UnfitError(f"The handler returned {_described(returned)}, which is no reply. {_WHAT}.")
    if is_twiml(text):
        yield from messages_of(text, event.from_)
    else:
        yield Reply(text)


def _as_twiml(returned: object) -> str | None:
    """Return the TwiML that is the string of `returned`, None if it is none."""
    text = str(returned)
    return text if is_twiml(text) else None


def _described(returned: object) -> str:
    """Return what `returned` is, without its content."""
    return "an empty str" if returned == "" else f"a value of type {type(returned).__name__}"


def _parameters(event: WebhookEvent, message: Reply | Message) -> dict[str, object]:
    to = message.to if isinstance(message, Message) else event.params.get("From", "")
    if isinstance(message, Reply):
        _check_answerable(to)
    parameters = parameters_of(message, to, _sender(event, to))
    if not parameters.get("From") and not parameters.get("MessagingServiceSid"):
        raise UnfitError("The message names no sender, and the event has none that could send it. Pass from_=...")
    return parameters


def _check_answerable(address: str) -> None:
    """Raise `UnfitError` unless somebody at `address` can be answered, not a company that sends under a name."""
    try:
        Message(address, "x")
    except UnfitError:
        raise UnfitError("The message came from a name, not a number, and cannot be answered. Return None for it.") from None


def _sender(event: WebhookEvent, to: str) -> str:
    """Return our address in the event, if it is one of the channel of `to`."""
    if isinstance(event, MessageReceived):
        own = event.to
    elif isinstance(event, MessageStatus):
        own = event.from_
    else:
        return ""
    return own if _channel(own) == _channel(to) else ""


def _channel(address: str) -> str:
    return address.partition(":")[0] if ":" in address else ""
