"""Looking for a message in Twilio's list, if nobody knows whether Twilio has it. Pure.

The list is compared by direction, recipient, sender or service, time of creation, and text where texts can be compared: smart
encoding replaces characters, link shortening replaces links, and a content template makes a text of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final
from unicodedata import normalize

LOOKS_S: Final = (5.0, 20.0, 60.0, 120.0)
"""How long after a request its message is looked for. It may take some seconds until Twilio lists it."""
_BEFORE_MS: Final = 30_000
"""How much earlier than the request a message may be created: clocks differ."""
_LINK: Final = re.compile(r"https?://", re.IGNORECASE)
_LETTERS: Final = re.compile(r"[^0-9a-z]+")


def seconds_to_look(looks_s: Sequence[float], age_s: float) -> float:
    """Return the seconds until the first of `looks_s` after a request that was `age_s` seconds ago; 0 if all are over."""
    return next((at - age_s for at in looks_s if at > age_s), 0.0)


def is_blind(parameters: Mapping[str, Any]) -> bool:
    """Whether the text that Twilio lists cannot be compared with that of the message."""
    if parameters.get("ContentSid"):
        return True
    return bool(parameters.get("MessagingServiceSid")) and _LINK.search(str(parameters.get("Body", ""))) is not None


def matches(parameters: Mapping[str, Any], listed: Iterable[Mapping[str, Any]], first_ms: int) -> list[str]:
    """Return the SIDs of the `listed` messages that the message with `parameters` may be, the oldest first.

    `first_ms` is when its first request began, in Unix ms.
    """
    return [str(one["sid"]) for one in reversed(list(_matching(parameters, listed, first_ms)))]


def reaches_back(listed: Sequence[Mapping[str, Any]], most: int, first_ms: int) -> bool:
    """Whether `listed`, the newest `most` messages at the most, has all that were created since `first_ms`."""
    return len(listed) < most or any(_created_ms(one) < first_ms - _BEFORE_MS for one in listed)


def _matching(parameters: Mapping[str, Any], listed: Iterable[Mapping[str, Any]], first_ms: int) -> Iterator[Mapping[str, Any]]:
    for one in listed:
        if (
            str(one.get("direction", "")).startswith("outbound")
            and one.get("to") == parameters["To"]
            and _same_sender(parameters, one)
            and _created_ms(one) >= first_ms - _BEFORE_MS
            and _same_content(parameters, one)
        ):
            yield one


def _same_sender(parameters: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    service = parameters.get("MessagingServiceSid")
    if service and one.get("messaging_service_sid") != service:
        return False
    return not parameters.get("From") or one.get("from") == parameters["From"]


def _same_content(parameters: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    if str(one.get("num_media") or 0) != str(len(parameters.get("MediaUrl", ()))):
        return False
    sent, listed = str(parameters.get("Body", "")), str(one.get("body") or "")
    return _folded(sent) == _folded(listed) if parameters.get("MessagingServiceSid") else sent.strip() == listed.strip()


def _folded(text: str) -> str:
    """Return the letters and digits of `text`: smart encoding replaces only others, and accents."""
    return _LETTERS.sub("", normalize("NFKD", text).lower()) or text


def _created_ms(one: Mapping[str, Any]) -> float:
    try:
        return parsedate_to_datetime(str(one.get("date_created"))).timestamp() * 1000
    except (TypeError, ValueError):
        return 0.0
