"""What of an event may be shown, and how spans of time are written."""

import msgspec
import pytest

from hookline_cli.output.durations import describe_timestamp, format_duration
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import one_line, printable
from tests.support.processor.events import event

SID = "SM" + "0" * 32
HIDING, LIFTED = Redaction(reveal=False), Redaction(reveal=True)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("+14155550123:+18005551212", "+***23:+***12"),
        ("whatsapp:+14155550123:whatsapp:+18005551212", "whatsapp:+***23:whatsapp:+***12"),
        (SID, SID),
        ("0f" * 16, "0f" * 16),
        ("client:alice.smith", "client:***th"),
        ("ann@example.com", "***om"),
        ("12345", "***"),
        ("", ""),
    ],
)
def test_keys(key: str, shown: str) -> None:
    """A key tells conversations apart without telling whose they are."""
    assert HIDING.key(key) == shown
    assert LIFTED.key(key) == key


def test_parameters() -> None:
    """SIDs, states and the ends of numbers are shown; everything that somebody wrote is shown as its length."""
    body = f"MessageSid={SID}&From=whatsapp%3A%2B14155550123&Body=call+%2B14155550123&SmsStatus=received&Other={SID}&Empty="
    one = event(body=body.encode())
    assert HIDING.parameters(one) == {
        "MessageSid": SID,
        "From": "whatsapp:+***23",
        "Body": "[17 characters]",
        "SmsStatus": "received",
        "Other": SID,
        "Empty": "",
    }
    assert LIFTED.parameters(one)["Body"] == "call +14155550123"
    assert HIDING.parameters(event(body=b"%ff")) == {}


def test_errors() -> None:
    """What an error quotes of the event, and any number, is hidden."""
    one = event(body=b"Body=my+secret&From=%2B14155550123")
    assert HIDING.error("no 'my secret' for +14155550123 or +442071838750", one) == "no '[redacted]' for [redacted] or +***50"
    assert HIDING.error("for +442071838750", None) == "for +***50"
    assert LIFTED.error("my secret", one) == "my secret"


def test_targets_and_raw_fields() -> None:
    """The query of a GET holds its parameters; an entry that is no event may hold anything."""
    assert HIDING.target("/twilio?From=%2B1415") == "/twilio?..."
    assert HIDING.target("/twilio") == "/twilio"
    assert LIFTED.target("/twilio?a=1") == "/twilio?a=1"
    assert HIDING.raw([b"v", b"\xff\x1b"]) == ["[1 bytes]", "[2 bytes]"]
    assert LIFTED.raw([b"v", b"\xff\x1b"]) == ["v", "\\xff\\x1b"]


def test_nothing_steers_the_terminal() -> None:
    """Control characters in what people sent are written out."""
    assert printable("a\x1b[31m\r\nb\tc") == "a\\x1b[31m\\r\nb\tc"
    assert one_line("a\nb\x07", 10) == "a b\\x07"
    assert one_line("abcdef", 4) == "abc…"


def test_spans_are_told_in_one_unit() -> None:
    """A glance is enough."""
    spans = [-5, 999, 1000, 119_999, 7_200_000, 200_000_000]
    assert [format_duration(span) for span in spans] == ["<1s", "<1s", "1s", "1m", "2h", "2d"]
    assert describe_timestamp(0) == "1970-01-01 00:00:00 UTC"
    assert describe_timestamp(10**18) == f"{10**18} ms"


def test_json_bodies_are_masked() -> None:
    """The members of JSON are parameters, too."""
    one = msgspec.structs.replace(event(body=b'{"sid": "x y", "NumMedia": 1}'), content_type="application/json")
    assert HIDING.parameters(one) == {"sid": "[3 characters]", "NumMedia": "1"}


def test_names_that_a_user_chose() -> None:
    """A name may be a number, and one like MyStatus may have any text."""
    chosen = "%2B14155550123=x&MyStatus=secret+words&CustomSid=call+me"
    body = f"{chosen}&SmsStatus=in-progress&Timestamp=Thu%2C+19+Jun+2025+15%3A00%3A00+%2B0000".encode()
    assert HIDING.parameters(event(body=body)) == {
        "[12 characters]": "[1 characters]",
        "MyStatus": "[12 characters]",
        "CustomSid": "[7 characters]",
        "SmsStatus": "in-progress",
        "Timestamp": "Thu, 19 Jun 2025 15:00:00 +0000",
    }
