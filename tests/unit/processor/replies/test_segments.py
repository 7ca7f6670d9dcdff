"""How many segments a text takes."""

import pytest

from hookline import Message, Reply
from hookline_processor.replies.segments import Segments, segments_of


@pytest.mark.parametrize(
    ("text", "encoding", "number"),
    [
        ("", "GSM-7", 1),
        ("x" * 160, "GSM-7", 1),
        ("x" * 161, "GSM-7", 2),
        ("x" * 306, "GSM-7", 2),
        ("x" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("x" * 152 + "€" + "x" * 151, "GSM-7", 2),  # it does not fit into the last place of the first one
        ("x" * 152 + "€" + "x" * 152, "GSM-7", 3),
        ("ü" * 160, "GSM-7", 1),
        ("ç" * 70, "UCS-2", 1),
        ("ç" * 71, "UCS-2", 2),
        ("x" * 68 + "👍", "UCS-2", 1),
        ("x" * 69 + "👍", "UCS-2", 2),
        ("x" * 66 + "👍" + "x" * 65, "UCS-2", 2),  # nor is an emoji split
        ("x" * 66 + "👍" + "x" * 66, "UCS-2", 3),
        ("x" * 1600, "GSM-7", 11),
        ("“" + "x" * 1599, "UCS-2", 24),
    ],
)
def test_segments(text: str, encoding: str, number: int) -> None:
    """By the alphabet of GSM, and by UTF-16 where one character is not in that."""
    found = segments_of(text)
    assert (found.encoding, found.number) == (encoding, number)


def test_culprit() -> None:
    """It says which character costs so much."""
    assert str(segments_of("x" * 100 + "“hi”")) == "2 segments of UCS-2, because of '“'"
    assert str(segments_of("hi")) == "1 segment of GSM-7"


def test_messages_know_their_segments() -> None:
    """Where they go by SMS, as far as the text says."""
    assert Reply("x" * 161).segments == Segments("GSM-7", 2)
    assert Message("+14155550123", "hi").segments == Segments("GSM-7", 1)
    assert Message("whatsapp:+14155550123", "x" * 1000, from_="whatsapp:+14155550100").segments is None
    assert Reply(content_sid="HX" + "0" * 32).segments is None
