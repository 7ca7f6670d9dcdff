"""TwiML that answers a message, as the messages that it stands for. Pure.

Source: https://www.twilio.com/docs/messaging/twiml.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from hookline_processor.replies.message import Message, Reply, UnfitError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST: Final = 64_000
"""Bytes. Twilio refuses more with error 11750."""
_TWIML: Final = re.compile(r"\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*<Response[\s/>]", re.DOTALL)
_ATTRIBUTES: Final = frozenset({"to", "from", "statusCallback"})


def is_twiml(text: str) -> bool:
    """Whether `text` begins as TwiML does. Nobody wants such a text to be sent as it is."""
    return _TWIML.match(text) is not None


def messages_of(twiml: str, sender: str, absolute: Callable[[str], str] = lambda url: url) -> list[Reply | Message]:
    """Return the messages that `twiml` sends. `sender` sent the message that it answers, and gets those without a `to`.

    `absolute` returns the whole URL for a callback, which may be relative.

    Raises:
        UnfitError: if it is too long or no XML, or has a verb or attribute that is not carried out.

    """
    size = len(twiml.encode(errors="replace"))
    if size > LONGEST:
        raise UnfitError(f"The TwiML has {size} bytes, and {LONGEST} are the most.")
    if "<!DOCTYPE" in twiml or "<!ENTITY" in twiml:
        raise UnfitError("The TwiML has a document type, which TwiML does not use.")
    from xml.etree.ElementTree import ParseError, fromstring  # noqa: PLC0415 - it takes memory that most processors need not

    try:
        response = fromstring(twiml.strip().encode())  # noqa: S314 - without entities, nothing in it can grow
    except (ParseError, ValueError) as error:
        raise UnfitError(f"The TwiML is no XML: {error}.") from None
    return list(_messages_in(response, sender, absolute))


def _messages_in(response: "Element", sender: str, absolute: Callable[[str], str]) -> Iterator[Reply | Message]:
    if (response.text or "").strip():
        raise UnfitError("The TwiML has a text outside of <Message>.")
    for verb in response:
        if verb.tag != "Message":
            raise UnfitError(f"The TwiML has <{verb.tag}>. In a reply to a message, only <Message> is carried out.")
        yield _message(verb, sender, absolute)


def _message(verb: "Element", sender: str, absolute: Callable[[str], str]) -> Reply | Message:
    unknown = sorted(set(verb.attrib) - _ATTRIBUTES)
    if unknown:
        raise UnfitError(f"<Message> has {', '.join(unknown)}; it can have {', '.join(sorted(_ATTRIBUTES))}.")
    body, media = [verb.text or ""], []
    for part in verb:
        if part.tag == "Body":
            body.append(part.text or "")
        elif part.tag == "Media":
            media.append((part.text or "").strip())
        else:
            raise UnfitError(f"<Message> has <{part.tag}>; it can have <Body> and <Media>.")
        body.append((part.tail or "").strip())
    text = "".join(body) if len(verb) == 0 else "".join(body).strip()
    callback, to, own_sender = (verb.get(name, "") for name in ("statusCallback", "to", "from"))
    callback = absolute(callback) if callback else ""
    if not to and not own_sender:
        return Reply(text, media=tuple(media), status_callback=callback)
    return Message(to or sender, text, from_=own_sender, media=tuple(media), status_callback=callback)
