"""What is taken out of a text because it quotes something personal."""

import json
from collections.abc import Callable
from time import thread_time
from urllib.parse import quote, urlencode

import pytest

from hookline_shared.observability.redaction import HIDDEN, redact_quotes

BODY = 'Könnten Sie mir bitte "zwei" Karten schicken?\nIt\'s for Zoë & me 🙂'
NUMBER = "+14155550123"
LARGE = " ".join(map(str, range(150_000)))
"""A megabyte."""


@pytest.mark.parametrize(
    ("text", "values", "clean"),
    [
        ("hello wide world", ["", "wide", "wide world"], f"hello {HIDDEN}"),
        ("hello wide world", ["hello", "world"], f"{HIDDEN} wide {HIDDEN}"),
        ("overlapping", ["overlap", "lapping"], HIDDEN),
        ("nothing of it", ["absent"], "nothing of it"),
        ("nothing of it", [], "nothing of it"),
        ("", ["absent"], ""),
        ("line 1 of 21: 1", ["1"], f"line {HIDDEN} of 21: {HIDDEN}"),
        ("no, not now", ["no"], f"{HIDDEN}, not now"),
        ("not known: known", ["known"], f"not {HIDDEN}: {HIDDEN}"),
    ],
)
def test_whole_values(text: str, values: list[str], clean: str) -> None:
    """All that is quoted goes, also where quotes overlap; a short value only where it stands alone."""
    assert redact_quotes(text, values) == clean


@pytest.mark.parametrize(
    "spelling",
    [
        BODY,
        repr(BODY),
        ascii(BODY),
        repr(BODY.encode()),
        json.dumps(BODY),
        json.dumps(BODY, ensure_ascii=False),
        quote(BODY),
        quote(BODY, safe=""),
        urlencode({"Body": BODY}),
    ],
)
def test_spellings(spelling: str) -> None:
    """However Python, JSON, a URL or a form write a value, no word of it is left."""
    clean = redact_quotes(f"cannot take {spelling}, sorry", [BODY])
    assert clean.startswith("cannot take ")
    assert clean.endswith(", sorry")
    assert not {"bitte", "Karten", "schicken"} & set(clean.replace("%20", " ").replace("+", " ").split())


@pytest.mark.parametrize("part", [BODY[:20], BODY[5:40], BODY[-24:], json.dumps(BODY)[3:40], quote(BODY)[:60]])
def test_parts(part: str) -> None:
    """A value that somebody cut short is hidden, too, if enough is left of it to know it again."""
    assert len(redact_quotes(f"<{part}>", [BODY]).replace(HIDDEN, "")) <= 6


def test_what_is_the_same_for_everybody_stays() -> None:
    """A few letters in common are no quote, and neither is the host of a URL."""
    media = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
    text = "cannot connect to https://api.twilio.com/2010-09-09 after 3 tries"
    assert redact_quotes(text, [media, "I cannot connect"]) == text
    assert redact_quotes(f"GET {media[8:]}", [media]) == f"GET api.twilio.com/{HIDDEN}"


@pytest.mark.parametrize(
    "spelling",
    [
        "+14155550123",
        "14155550123",
        "0014155550123",
        "4155550123",
        "5550123",
        "+1 415 555 0123",
        "+1 (415) 555-0123",
        "(415) 555-0123",
        "415.555.0123",
        "%2B14155550123",
        "whatsapp:+14155550123",
    ],
)
@pytest.mark.parametrize("value", [NUMBER, f"whatsapp:{NUMBER}", "14155550123", "+1 415 555 0123"])
def test_phone_numbers(value: str, spelling: str) -> None:
    """A number is hidden whatever stands between its digits, with or without its country."""
    clean = redact_quotes(f"nobody at {spelling}!", [value])
    assert clean.removeprefix("nobody at ").removeprefix("whatsapp:") == f"{HIDDEN}!"


def test_other_numbers_stay() -> None:
    """Ids and times are no phone numbers, even if they share some digits with one."""
    for text in ("event 01a2120103d475a3bc1a627c2250ed6b", "at 1795598386151", "55501234567"):
        assert redact_quotes(text, [NUMBER]) == text


def test_a_long_text_takes_no_time() -> None:
    """What is compared grows with the sum of the sizes, not with their product."""
    body = "".join(chr(ord("a") + number * number % 26) for number in range(60_000))
    assert redact_quotes("x" * 5000, [body]) == "x" * 5000
    assert redact_quotes(f"<{body}>", [body]) == f"<{HIDDEN}>"


MANY = [f"value {number}" for number in range(20_000)]


def test_many_values_blank_no_log() -> None:
    """A sender who puts thousands of texts into a message hides what quotes them, and nothing else."""
    assert redact_quotes("line 7: value 20001, perhaps", MANY[:400]) == "line 7: [redacted]01, perhaps"
    assert redact_quotes("line 7: something", MANY) == "line 7: something"
    assert redact_quotes("line 7: value 19999x", MANY) == "line 7: [redacted]x"
    assert redact_quotes("", MANY) == ""
    assert redact_quotes(" ".join(MANY), MANY) == HIDDEN, "so many are quoted that searching for them would take too long"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("error: 'Zoë'", "Zoë"),
        (r"error: 'Zoë Smith'", "Zoë Smith"),
        ("https://x/?q=my+own+words%21", "my own words!"),
        ("+1 (415) 555-0123", "+14155550123"),
        ("the middle of a longer text", "before, the middle of a longer text, after"),
        ("no", "no"),
        ('{"body": "line\\nbreak"}', "line\nbreak"),
    ],
)
def test_many_values_hide_what_few_do(text: str, value: str) -> None:
    """Whole, in part, encoded or as a number: a quote is found among any number of values."""
    assert HIDDEN in redact_quotes(text, [value])
    assert redact_quotes(text, [*MANY, value]) == redact_quotes(text, [value])


def test_time_of_many_values() -> None:
    """A megabyte of short texts takes some tenths of a second on a busy machine, not seconds."""
    values = [f"{number:x}" for number in range(150_000)]
    started = thread_time()
    redact_quotes("ValueError: something went wrong in line 7" * 20, values)
    assert thread_time() - started < 2


@pytest.mark.parametrize("value", ["my own words", "Zoë", "Straße in Öhringen", "name@example.com"])
@pytest.mark.parametrize("quoting", [str, repr, ascii, quote, str.upper, lambda text: ascii(text.upper())])
def test_case_hides_nothing(value: str, quoting: Callable[[str], str]) -> None:
    """A handler that upper-cases a text before it fails quotes it all the same."""
    if len(value.upper()) == len(value):
        assert redact_quotes(f"<{quoting(value).strip(chr(39))}>", [value]) == f"<{HIDDEN}>"
        assert redact_quotes(f"<{value}>", [value.upper()]) == f"<{HIDDEN}>"


@pytest.mark.parametrize("spell", [str, repr, ascii, json.dumps, quote, lambda text: urlencode({"b": text})])
def test_part_of_a_large_value(spell: Callable[[str], str]) -> None:
    """A short text that quotes a part of a large value goes, in whichever encoding."""
    value = f"{LARGE}{BODY}{LARGE}"
    clean = redact_quotes(f"bad: {spell(BODY[10:])}!", [value])
    assert HIDDEN in clean
    assert "Karten" not in clean
    assert redact_quotes("100% of a + b \\ nothing", [value]) == "100% of a + b \\ nothing"


def test_time_of_a_large_value() -> None:
    """A line of the log takes less time than to encode the value once, so the handler of a large event may log as well."""
    started = thread_time()
    quote(LARGE)
    encoded = thread_time()
    for text in ("event settled without a handler", "100 %", "a + b", "01a22fc8340273b0be2db341e8e2e827"):
        redact_quotes(text, [LARGE])
    assert thread_time() - encoded < encoded - started
