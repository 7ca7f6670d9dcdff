"""Reads the fields of `multipart/form-data`, in which SendGrid sends e-mails that it received. Pure.

All of it takes time in proportion to the length of the body: what is searched for is looked for in each byte once.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from hookline_shared.parsing.forms import MAX_FIELDS
from hookline_shared.parsing.json_body import decode_json, members_of

_FORM_DATA: Final = "multipart/form-data"
_DISPOSITION: Final = b"content-disposition:"
_LONGEST_HEAD: Final = 4096
"""Bytes before the value of a part. SendGrid's have some 100, the name of a file included."""
_LONGEST_BOUNDARY: Final = 200
"""Characters; RFC 2046 allows 70."""
_PARAMETER: Final = re.compile(r'[ \t]*;[ \t]*([^\s;="]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
"""A parameter of a header, which begins where the last one ended: `; name="value"` or `; name=value`."""
_CHARSET: Final = re.compile(
    r"us-ascii|utf-?8|iso-?8859-[0-9]{1,2}|windows-12[0-9]{2}|koi8-[ru]|gb2312|gbk|gb18030|big5|shift_jis|euc-(?:jp|kr)"
    r"|iso-2022-(?:jp|kr)|tis-620",
    re.IGNORECASE,
)
"""The charsets that are decoded; some others that Python knows, such as punycode, take quadratic time."""


@lru_cache(maxsize=64)
def boundary_of(content_type: str) -> bytes:
    """Return the boundary between the parts of a multipart body, empty if the header says that the body is none."""
    kind, _, _ = content_type.partition(";")
    if kind.strip().lower() != _FORM_DATA:
        return b""
    boundary = _parameters(content_type[len(kind) :]).get("boundary", "")
    return boundary.encode(errors="replace") if len(boundary) <= _LONGEST_BOUNDARY else b""


def parse_multipart(body: bytes, boundary: bytes) -> dict[str, str]:
    """Return the fields by name, the last one of a repeated name, without files and parts with a very long head.

    They are decoded as the field `charsets` says, a JSON object by names of fields, otherwise as UTF-8. Bytes that cannot be
    decoded are replaced.
    """
    found: dict[str, bytes] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_FIELDS + 1)[1:]:
        end = part.find(b"\r\n\r\n", 0, _LONGEST_HEAD + 4)
        if end >= 0 and (name := _field_of(part[:end])) is not None:
            found[name] = part[end + 4 :]
    charsets = members_of(decode_json(found.get("charsets", b"")))
    return {name: _decoded(value, charsets.get(name, "")) for name, value in found.items()}


def _field_of(head: bytes) -> str | None:
    """Return the name of the field whose part has `head`, None if the part is a file, or has no name."""
    for line in head.split(b"\r\n"):
        if line[: len(_DISPOSITION)].lower() == _DISPOSITION:
            kind, mark, rest = line[len(_DISPOSITION) :].decode(errors="replace").partition(";")
            named = _parameters(mark + rest)
            is_field = kind.strip().lower() == "form-data" and "filename" not in named and "filename*" not in named
            return named.get("name") if is_field else None
    return None


def _parameters(text: str) -> Mapping[str, str]:
    """Return the parameters of a header by their names in lower case; what follows one that is malformed is left out."""
    found = {}
    at = 0
    while parameter := _PARAMETER.match(text, at):
        name, quoted, plain = parameter.groups()
        found[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = parameter.end()
    return found


def _decoded(value: bytes, charset: str) -> str:
    if not _CHARSET.fullmatch(charset):
        return value.decode(errors="replace")
    try:
        return value.decode(charset, errors="replace")
    except LookupError:  # such as iso-8859-12, which does not exist
        return value.decode(errors="replace")
