"""Which message in Twilio's list is the one that was sent."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from hookline_processor.sender.lookup import LOOKS_S, is_blind, matches, reaches_back, seconds_to_look

NOW_MS = 1_750_000_000_000
SENT = {"To": "+14155550123", "From": "+18005551212", "Body": "hello"}
SERVICE = "MG" + "0" * 32


def listed(sid: str = "SM1", *, at_ms: int = NOW_MS, **changed: Any) -> dict[str, Any]:
    """Return a message as Twilio lists it, equal to `SENT` except for what is `changed`."""
    return {
        "sid": sid,
        "direction": "outbound-api",
        "to": SENT["To"],
        "from": SENT["From"],
        "messaging_service_sid": None,
        "body": SENT["Body"],
        "num_media": "0",
        "date_created": format_datetime(datetime.fromtimestamp(at_ms / 1000, UTC)),
        **changed,
    }


def test_equal_message_matches() -> None:
    """The oldest first: it was sent first."""
    assert matches(SENT, [listed("SM2"), listed("SM1", at_ms=NOW_MS - 29_000)], NOW_MS) == ["SM1", "SM2"]


@pytest.mark.parametrize(
    "changed",
    [
        {"direction": "inbound"},
        {"to": "+14155550199"},
        {"from": "+18005551213"},
        {"body": "hello!"},
        {"num_media": "1"},
        {"at_ms": NOW_MS - 31_000},
        {"date_created": None},
        {"date_created": "yesterday"},
    ],
)
def test_other_message_does_not_match(changed: dict[str, Any]) -> None:
    """One difference is enough."""
    assert matches(SENT, [listed(**changed)], NOW_MS) == []


def test_message_of_a_service() -> None:
    """Nobody knows the sender before, and smart encoding has replaced characters."""
    sent = {"To": SENT["To"], "MessagingServiceSid": SERVICE, "Body": "It\u2019s \u201cfine\u201d \u2013 \u00e9"}
    found = listed(messaging_service_sid=SERVICE, body='It\'s "fine" - e') | {"from": "+18005550000"}
    assert matches(sent, [found], NOW_MS) == ["SM1"]
    assert matches(sent, [found | {"body": "It's over"}], NOW_MS) == []
    assert matches(sent, [found | {"messaging_service_sid": None}], NOW_MS) == []
    assert matches({**sent, "Body": "!!"}, [found | {"body": "??"}], NOW_MS) == [], "without letters, all of it counts"


def test_media_without_text() -> None:
    """They are counted."""
    sent = {"To": SENT["To"], "From": SENT["From"], "MediaUrl": ["https://example.com/a"]}
    assert matches(sent, [listed(body="", num_media="1")], NOW_MS) == ["SM1"]


@pytest.mark.parametrize(
    ("parameters", "blind"),
    [
        (SENT, False),
        ({"To": "x", "ContentSid": "HX"}, True),
        ({"To": "x", "MessagingServiceSid": SERVICE, "Body": "see https://example.com"}, True),
        ({"To": "x", "MessagingServiceSid": SERVICE, "Body": "see you"}, False),
        ({"To": "x", "From": "y", "Body": "see https://example.com"}, False),
    ],
)
def test_texts_that_cannot_be_compared(parameters: dict[str, Any], blind: bool) -> None:
    """Twilio makes another text of them."""
    assert is_blind(parameters) is blind


def test_list_that_is_too_short() -> None:
    """If as many were sent since as are listed, the one may be among the others."""
    recent = [listed(str(number)) for number in range(3)]
    assert not reaches_back(recent, 3, NOW_MS)
    assert reaches_back(recent, 4, NOW_MS)
    assert reaches_back([*recent, listed(at_ms=NOW_MS - 60_000)], 4, NOW_MS)


@pytest.mark.parametrize(("age_s", "seconds"), [(0, 5), (4, 1), (5, 15), (30, 30), (119, 1), (120, 0), (9999, 0)])
def test_looks(age_s: float, seconds: float) -> None:
    """5, 20, 60 and 120 s after the request."""
    assert seconds_to_look(LOOKS_S, age_s) == seconds
