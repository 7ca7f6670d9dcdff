"""The content of a request, decoded: the parameters of a form or of a query, or the members of a JSON object. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from hookline_ingress.http.request import Request
from hookline_shared.errors import HooklineError
from hookline_shared.forms import EMPTY, Form, parse_form
from hookline_shared.json_body import decode_json, is_form, members_of

Params = Mapping[str, str]
"""Decoded parameters by Twilio's names; the last value of a repeated one."""

MAX_ELEMENTS: Final = 10_000
"""Twilio sends far fewer events at once, SendGrid at most 768 kB. An array of half a million zeros would take half a minute."""

ACCOUNT_NAMES: Final = ("AccountSid", "account_sid")
"""The parameters with the account; only Verify uses the second."""

_NOT_ENCODED: Final = ("", "identity")


class TooManyElementsError(HooklineError):
    """A JSON array has more than `MAX_ELEMENTS` elements."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """The decoded content. `path` is raw and without the query.

    `form` has the parameters of a form body or of the query of a GET. `params` has the same by name, or the members of a JSON
    object as text. `rest` is all other content. `signed` has the parameters of `form` that the signature covers one by one;
    `body` is the body if the signature covers it as a whole, else None.
    """

    path: str
    params: Params
    form: Form
    rest: bytes
    signed: Form
    body: bytes | None


def decode(request: Request) -> Content:
    """Decode `request`, a GET or a POST.

    Raises:
        ValueError: if it cannot be decoded, or has content that a signature cannot cover.

    """
    path, _, query = request.target.partition("?")
    if request.method == "GET":
        return _decode_get(request, path, query)
    if is_form(request.headers.get("Content-Type", "")) or ("Content-Type" not in request.headers and not request.body):
        form = parse_form(request.body)
        return Content(path, form.params, form, query.encode(), form, None)
    rest = query.encode() + b"\n" + request.body
    return Content(path, members(request.body), EMPTY, rest, EMPTY, request.body)


def _decode_get(request: Request, path: str, query: str) -> Content:
    if request.body:
        raise ValueError("the body of a GET is not signed")
    form = parse_form(query.encode())
    return Content(path, form.params, form, b"", EMPTY, None)


def members(body: bytes | msgspec.Raw) -> Params:
    """Return the members of a JSON object, other values than text as JSON; none if `body` is not a JSON object."""
    return members_of(decode_json(body))


def elements(body: bytes) -> list[bytes] | None:
    """Return the elements of a JSON array, each byte for byte; None if `body` is not a JSON array.

    Raises:
        TooManyElementsError: if there are too many.

    """
    try:
        found = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if len(found) > MAX_ELEMENTS:
        raise TooManyElementsError
    return [bytes(element) for element in found]


def account_of(params: Params) -> str:
    """Return the account SID in the parameters of a webhook; empty if there is none."""
    return params.get("AccountSid") or params.get("account_sid", "")


@lru_cache(maxsize=64)
def is_encoded(content_encoding: str) -> bool:
    """Whether the header says that the body is compressed: it is refused, since it could grow past every limit."""
    return content_encoding.strip().lower() not in _NOT_ENCODED
