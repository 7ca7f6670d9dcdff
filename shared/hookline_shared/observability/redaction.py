"""Redacts quotes of personal values in a text. Pure.

The message of an error may quote a value unchanged, in the syntax of Python or JSON, or encoded for a URL or a form; it may
quote only a part of a value, or in another case; and it may quote a phone number with other separators or without its country
code. All are found.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from hookline_shared.observability.quote_candidates import candidates

HIDDEN: Final = "[redacted]"

_LONG: Final = 4
"""A shorter value is redacted only as a whole word; otherwise a message "1" would hide every line number."""
_BLOCK: Final = 8
_PART: Final = 2 * _BLOCK - 1
"""The least length of a partial quote in characters. Such a quote contains at least one whole block of the value, so only
blocks need to be searched for."""
_SHORT: Final = 512
_LARGE: Final = 16_384
_ESCAPE: Final = re.compile(r"\\(?:u(0010[0-9a-f]{4}|000[1-9a-f][0-9a-f]{4}|[0-9a-f]{4})|x([0-9a-f]{2})|(.))", re.DOTALL)
"""Of Python or JSON, in lower case: Python's eight digits behind U are those that begin with a control character."""
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ALIKE: Final = 4
"""Equal blocks of a value that are tried."""
_FEW_BLOCKS: Final = 64
"""Up to this number of blocks, it is faster to search for each."""
_NUMBER: Final = re.compile(r"(?:[a-z]+:)?\+?[\d\s().-]{7,24}")
_NO_DIGITS: Final = re.compile(r"\D+", re.ASCII)
_LEAST_DIGITS: Final = 7
_MOST_DIGITS: Final = 15
_BETWEEN: Final = r"[\s().-]{0,2}"
_FIRST_DIGITS: Final = re.compile(rf"(?:\+|%2B)?\(?(?:[0-9]{_BETWEEN}){{1,8}}$", re.IGNORECASE)
_LONGEST_COUNTRY: Final = 30
_ORIGIN: Final = re.compile(r"[a-z]+://[^/]*/")

_MANY_VALUES: Final = 100
"""With more values, those that the text cannot quote are left out first."""
_MOST_VALUES: Final = 500
"""Searching a traceback for this many values takes some hundredths of a second, in which the event loop is blocked."""

_Span = tuple[int, int]


def redact_quotes(text: str, values: Collection[str]) -> str:
    """Return `text` with `[redacted]` in place of quotes of `values`, or of the whole text if it quotes too many."""
    stripped = {value.strip() for value in values} - {""}
    folded = _fold(text)
    if len(stripped) > _MANY_VALUES:
        quoted = set(candidates(folded, set(map(_fold, stripped))))
        stripped = {value for value in stripped if _fold(value) in quoted}
    if len(stripped) > _MOST_VALUES:
        return HIDDEN if text else text
    digits = _NO_DIGITS.sub("", folded)
    spans = sorted(span for value in stripped for span in _quotes(folded, digits, value))
    if not spans:
        return text
    parts: list[str] = []
    end = 0
    for first, last in _merged(spans):
        parts += (text[end:first], HIDDEN)
        end = last
    return "".join([*parts, text[end:]])


def _quotes(text: str, digits: str, value: str) -> Iterator[_Span]:
    """Yield the quotes of `value` in `text`, which is in lower case, and whose digits are `digits`."""
    if len(value) > max(_LARGE, len(text)):
        yield from _quotes_of_large(text, _fold(value))
        return
    for encoding in _encodings(text, value):
        yield from _whole(text, encoding)
        yield from _parts(text, encoding)
    if len(digits) >= _LEAST_DIGITS and _NUMBER.fullmatch(value.lower()):
        number = _NO_DIGITS.sub("", value)
        if _LEAST_DIGITS <= len(number) <= _MOST_DIGITS and number[-_LEAST_DIGITS:] in digits:
            for found in _last_digits(number[-_LEAST_DIGITS:]).finditer(text):
                yield found.start() - _length_of_country(text[: found.start()]), found.end()


def _quotes_of_large(text: str, value: str) -> Iterator[_Span]:
    """Yield the quotes of a part of `value`, or the whole of `text` if it quotes one in any encoding.

    Here the text is decoded: to encode a value of a megabyte in every way would take a second for each line of the log.
    """
    yield from _parts(text, value)
    if any(next(_parts(decoded, value), None) for decoded in _decodings(text)):
        yield 0, len(text)


def _decodings(text: str) -> Iterator[str]:
    """Yield what `text`, which is in lower case, may be the encoding of; in lower case, too."""
    if "\\" in text:
        decoded = _ESCAPE.sub(_unescaped, text).encode("utf-16", "surrogatepass")  # which joins the halves of JSON
        yield _fold(decoded.decode("utf-16", "replace"))
    if "%" in text or "+" in text:
        yield _fold(unquote(text))
        yield _fold(unquote_plus(text))


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    return chr(int(code, 16)) if code else _LETTERS.get(escape[3], escape[3])


def _encodings(text: str, value: str) -> set[str]:
    """Return the encodings of `value`, in any case, that are possible with the characters of `text`; in lower case."""
    found = {value}
    for form in (value, value.lower(), value.upper()):
        if "\\" in text:
            found |= {repr(form)[1:-1], ascii(form)[1:-1], json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1]}
        if "%" in text or ("+" in text and " " in form):
            found |= {quote(form, errors="replace"), quote(form, "", errors="replace"), quote_plus(form, errors="replace")}
    return set(map(_fold, found))


def _fold(text: str) -> str:
    """Return `text` in lower case, character by character, so that offsets stay the same."""
    folded = text.lower()
    return folded if len(folded) == len(text) else "".join(low if len(low := sign.lower()) == 1 else sign for sign in text)


def _whole(text: str, value: str) -> Iterator[_Span]:
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if len(value) >= _LONG or not (_is_word(text[at - 1 : at]) or _is_word(text[end : end + 1])):
            yield at, end
        at = text.find(value, end)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _parts(text: str, value: str) -> Iterator[_Span]:
    """Yield partial quotes of `value`, without the scheme and host of a URL, which are not personal.

    The time is linear in the sum of both lengths, for any input.
    """
    if origin := _ORIGIN.match(value):
        value = value[origin.end() :]
    if len(value) <= _PART or len(text) < _PART:
        return
    blocks = _blocks_in_both(text, value) if len(text) <= _SHORT else _blocks_of(value)
    yield from _runs(text, value, blocks)


def _blocks_in_both(text: str, value: str) -> dict[str, list[int]]:
    """Return the blocks of `text` that `value` has, with their first offsets there. Most lines of a log are short: this takes a
    hundredth of the time of `_blocks_of` for a value of a megabyte."""
    blocks: dict[str, list[int]] = {}
    for at in range(0, len(text) - _BLOCK + 1, _BLOCK):
        block, start = text[at : at + _BLOCK], -1
        while len(starts := blocks.get(block, [])) < _ALIKE and (start := value.find(block, start + 1)) >= 0:
            blocks[block] = [*starts, start]
    return blocks


def _blocks_of(value: str) -> dict[str, list[int]]:
    """Return the blocks of `value` with their first offsets."""
    blocks: dict[str, list[int]] = {}
    for start in range(0, len(value) - _BLOCK + 1, _BLOCK):
        starts = blocks.setdefault(value[start : start + _BLOCK], [])
        if len(starts) < _ALIKE:
            starts.append(start)
    return blocks


def _runs(text: str, value: str, blocks: Mapping[str, Sequence[int]]) -> Iterator[_Span]:
    """Yield the runs that `text` and `value` share; `blocks` has the offsets of each block of `value`."""
    end = 0
    for at in _places(text, blocks):
        if at >= end:
            first, last = max((_extended(text, end, at, value, start) for start in blocks[text[at : at + _BLOCK]]), key=_length)
            if last - first >= _PART:
                yield first, last
                end = last


def _places(text: str, blocks: Collection[str]) -> list[int]:
    """Return the offsets in `text` at which one of `blocks` begins, in order."""
    if len(blocks) > _FEW_BLOCKS:
        return [at for at in range(len(text) - _BLOCK + 1) if text[at : at + _BLOCK] in blocks]
    found = []
    for block in blocks:
        at = text.find(block)
        while at >= 0:
            found.append(at)
            at = text.find(block, at + 1)
    return sorted(found)


def _extended(text: str, end: int, at: int, value: str, start: int) -> _Span:
    """Return the run around `at`, but not before `end`, that `text` shares with `value` around `start`."""
    before = 0
    while before < min(at - end, start) and text[at - before - 1] == value[start - before - 1]:
        before += 1
    after = _BLOCK
    while after < min(len(text) - at, len(value) - start) and text[at + after] == value[start + after]:
        after += 1
    return at - before, at + after


def _length(span: _Span) -> int:
    return span[1] - span[0]


@lru_cache(maxsize=256)
def _last_digits(digits: str) -> re.Pattern[str]:
    """Return the pattern for the end of a phone number, with any separators between its `digits`."""
    return re.compile(rf"{_BETWEEN.join(digits)}(?![0-9])")


def _length_of_country(before: str) -> int:
    """Return the length of the end of `before` that may be the first digits of a phone number, with its prefix."""
    found = _FIRST_DIGITS.search(before[-_LONGEST_COUNTRY:])
    return len(found[0]) if found else 0


def _merged(spans: Iterable[_Span]) -> Iterator[_Span]:
    """Yield the union of `spans`, which are sorted, as spans that do not overlap."""
    first = last = 0
    for start, end in spans:
        if start > last:
            if last:
                yield first, last
            first = start
        elif not last:
            first = start
        last = max(last, end)
    yield first, last
