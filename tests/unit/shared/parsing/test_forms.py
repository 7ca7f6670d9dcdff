"""Reading form bodies."""

from contextlib import suppress
from time import thread_time
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_shared.parsing.forms import MAX_FIELDS, MAX_MALFORMED, parse_form

Pairs = list[tuple[str, str]]

texts = st.text(st.characters(exclude_categories=["Cs"]))
wire = st.text("ab0126=&%+;#? üC3dDBcZ🙂\x00\n")  # rich in separators, and in percent signs that mean something and that do not


def parse_with_stdlib(text: str) -> Pairs | None:
    """Return what the standard library reads, None if it finds something that is not UTF-8."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        return None


def ours(text: str) -> Pairs | None:
    try:
        return list(parse_form(text.encode()).pairs)
    except UnicodeDecodeError:
        return None


@given(st.lists(st.tuples(texts, texts), max_size=30))
def test_reads_back_what_was_encoded(form: Pairs) -> None:
    """Every parameter arrives as it was sent: empty, repeated and non-ASCII ones, in order."""
    assert list(parse_form(urlencode(form).encode()).pairs) == form


@given(wire)
def test_reads_what_the_standard_library_reads(text: str) -> None:
    """Any text, tidy or not, yields the same parameters as urllib's parser, or is refused by both."""
    assert ours(text) == parse_with_stdlib(text)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", []),
        (b"&&", []),
        (b"a", [("a", "")]),
        (b"a=", [("a", "")]),
        (b"=b", [("", "b")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=1&a=1&a=2", [("a", "1"), ("a", "1"), ("a", "2")]),
        (b"a+b=%2B+1", [("a b", "+ 1")]),
        (b"%61=%c3%bc", [("a", "ü")]),
        (b"a=100%", [("a", "100%")]),
        (b"a=%zz", [("a", "%zz")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
        (b"a=1%26b%3d2&%3D=%3d", [("a", "1&b=2"), ("=", "=")]),
        (b"a=%2526", [("a", "%26")]),
    ],
)
def test_corner_cases(body: bytes, form: Pairs) -> None:
    """Untidy but valid forms are read as browsers and Twilio mean them."""
    assert list(parse_form(body).pairs) == form


@pytest.mark.parametrize(
    "body", [b"a=\xff", b"a=%ff", b"a=%c3", b"%c3=a", b"a=%ed%a0%80", b"a=%c3\xc3\xbc", b"a&b=%ff", b"a&b=%ff&c=%FF%ff"]
)
def test_text_that_is_not_utf8_is_refused(body: bytes) -> None:
    """Undecodable bytes are refused, raw or percent-encoded, instead of being replaced and verified as something else."""
    with pytest.raises(ValueError, match="codec can't decode"):
        parse_form(body)


def test_too_many_fields_are_refused() -> None:
    """A body cannot keep the parser busy with fields without end."""
    assert len(parse_form(b"&".join([b"a=1"] * MAX_FIELDS)).pairs) == MAX_FIELDS
    with pytest.raises(ValueError, match="more than 1000 fields"):
        parse_form(b"&".join([b"a=1"] * (MAX_FIELDS + 1)))
    with pytest.raises(ValueError, match="more than 1000 fields"):
        parse_form(b"&" * MAX_FIELDS)


def test_too_many_malformed_percent_signs_are_refused() -> None:
    """What no client sends by mistake is not decoded at any price."""
    assert parse_form(b"a=" + b"%" * MAX_MALFORMED).params == {"a": "%" * MAX_MALFORMED}
    with pytest.raises(ValueError, match="malformed percent"):
        parse_form(b"a=" + b"%&" * 500 + b"%" * (MAX_MALFORMED - 499))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"a&b=" + b"%C3%A9" * 10_900, id="field without ="),
        pytest.param(b"a=1&a=" + b"%C3%A9" * 10_900, id="repeated name"),
        pytest.param(b"a=%&b=" + b"%C3%A9" * 10_900, id="malformed"),
        pytest.param(b"a=\n&b=" + b"%C3%A9" * 10_900, id="line break"),
        pytest.param(b"a=" + b"%" * 65_400, id="percent signs"),
        pytest.param(b"&".join([b"%41=%41%4"] * 990), id="fields"),
    ],
)
def test_untidy_forms_cost_little_more(body: bytes) -> None:
    """An untidy form, which anyone can send before its signature is looked at, takes no multiple of a tidy one."""
    assert _shortest(body) < 15 * _shortest(b"a=" + b"%C3%A9" * 10_900)


def _shortest(body: bytes) -> float:
    """Return the shortest of several times that `body` takes, in seconds of this thread."""
    times = []
    for _ in range(9):
        began = thread_time()
        with suppress(ValueError):
            parse_form(body)
        times.append(thread_time() - began)
    return min(times)
