"""Parses `application/x-www-form-urlencoded` bytes. Ingress verifies the result; handlers get the same."""

import re
from binascii import a2b_qp
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

FORM: Final = "application/x-www-form-urlencoded"
"""The content type that this module parses, without parameters."""

MAX_FIELDS: Final = 1000
"""Twilio sends some 20; a body with far more is an attack on the parser."""

MAX_MALFORMED: Final = 1000
"""Percent signs without two hexadecimal digits behind them. Twilio sends none; each takes as long as 100 other bytes."""

Pairs = Collection[tuple[str, str]]
"""Names and values in the order in which they were sent, repeated names included."""


class Form(msgspec.Struct, frozen=True, gc=False):
    """A decoded form. `params` has the values by name, the last one of a repeated name; `pairs` has all.

    `parts` has names and values in turn, as they were sent, if no name is repeated; it may be empty all the same.
    """

    params: Mapping[str, str]
    pairs: Pairs
    parts: Sequence[str] = ()

    @property
    def repeats(self) -> bool:
        """Whether a name is repeated."""
        return len(self.params) != len(self.pairs)


def form_of(pairs: Pairs) -> Form:
    """Return the form of decoded `pairs`."""
    return Form(dict(pairs), pairs)


EMPTY: Final = form_of(())


def parse_form(body: bytes) -> Form:
    """Split and decode a form body or a query. A field without "=" has an empty value; empty fields are skipped.

    The result is that of `urllib.parse.parse_qsl(keep_blank_values=True)` for valid input, in a tenth of the time if no name is
    repeated and every field has exactly one "=". The standard library has no percent-decoding in C, but it has
    quoted-printable, which differs only in the escape character. That decoder treats malformed numbers in its own way, and an
    escape character before the end of a line as a soft line break.

    Raises:
        ValueError: if the text is not UTF-8, before or after percent-decoding, or has more than `MAX_FIELDS` fields or
            `MAX_MALFORMED` percent signs that mean nothing.

    """
    separators = body.translate(None, _NO_SEPARATORS)
    if len(separators) >= MAX_FIELDS and separators.count(b"&") >= MAX_FIELDS:
        raise ValueError(f"more than {MAX_FIELDS} fields")
    if separators != b"=&" * (len(separators) // 2) + b"=":
        return _parse_any(body)
    decoded = a2b_qp(body.translate(_QUOTED_PRINTABLE))
    if len(decoded) != len(body) - 2 * body.count(b"%"):  # a malformed number: a valid one becomes one byte of three
        return _parse_any(body)
    parts = decoded.decode().split("\0")
    if len(parts) != len(separators) + 1:  # a NUL in it
        return _parse_any(body)
    rest = iter(parts)
    params = dict(zip(rest, rest))  # noqa: B905 - their number is even
    return Form(params, params.items(), parts) if 2 * len(params) == len(parts) else _parse_any(body)


def _parse_any(body: bytes) -> Form:
    """Parse any form. It need not be as fast as a tidy one, but nobody must have to pay much more for it."""
    body.decode()
    escaped, malformed = _MALFORMED.subn(b"%25", body.replace(b"+", b" "), MAX_MALFORMED + 1)
    if malformed > MAX_MALFORMED:
        raise ValueError(f"more than {MAX_MALFORMED} malformed percent signs")
    split = [field.partition(b"=") for field in escaped.split(b"&") if field]
    joined = _NOT_UTF8.join([part for name, _, value in split for part in (name, value)])
    decoded = a2b_qp(joined.replace(b"=", b"%3D").replace(b"%", b"="))
    parts = [part.decode() for part in decoded.split(_NOT_UTF8)] if split else []
    if len(parts) != 2 * len(split):  # the encoded text has such a byte itself
        decoded.decode()
    return form_of(list(zip(parts[::2], parts[1::2], strict=True)))


_MALFORMED: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NOT_UTF8: Final = b"\xff"
_NO_SEPARATORS: Final = bytes(set(range(256)) - set(b"=&\r\n"))
_QUOTED_PRINTABLE: Final = bytes.maketrans(b"+%=&", b" =\0\0")
