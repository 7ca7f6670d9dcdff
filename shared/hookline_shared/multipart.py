"""Reads the fields of `multipart/form-data`, in which SendGrid sends e-mails that it received. Pure."""

import re
from functools import lru_cache
from typing import Final

from hookline_shared.forms import MAX_FIELDS

_BOUNDARY: Final = re.compile(r"multipart/form-data\s*;.*?\bboundary=\"?([^\";,\s]{1,200})", re.IGNORECASE)
_NAME: Final = re.compile(rb"content-disposition:\s*form-data;[^\r\n]*?\bname=\"([^\"\r\n]*)\"", re.IGNORECASE)
_FILE: Final = re.compile(rb"content-disposition:[^\r\n]*\bfilename\*?=", re.IGNORECASE)


@lru_cache(maxsize=64)
def boundary_of(content_type: str) -> bytes:
    """Return the boundary between the parts of a multipart body, empty if the header says that the body is none."""
    found = _BOUNDARY.match(content_type.strip())
    return found[1].encode() if found else b""


def parse_multipart(body: bytes, boundary: bytes) -> dict[str, str]:
    """Return the fields by name, the last one of a repeated name. Files are left out; bytes that are not UTF-8 are replaced."""
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_FIELDS + 1)[1:]:
        head, blank, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if blank and name and not _FILE.search(head):
            fields[name[1].decode(errors="replace")] = value.decode(errors="replace")
    return fields
