"""What a request carries, decoded once: of a form its parameters, of a GET those in its query, of JSON its members. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from hookline_ingress.http.request import Request
from hookline_shared.errors import HooklineError
from hookline_shared.forms import EMPTY, Form, parse_form
from hookline_shared.json_body import decode_json, is_form, members_of

Params = Mapping[str, str]
"""Decoded parameters by Twilio's names; of a repeated one, the last."""

MAX_ELEMENTS: Final = 10_000
"""Twilio sends far fewer events at once, SendGrid at most 768 kB of them; half a million zeros would take half a minute."""

ACCOUNT_NAMES: Final = ("AccountSid", "account_sid")
"""How webhooks name their account; Verify alone uses the second."""

_NOT_ENCODED: Final = ("", "identity")


class TooManyElementsError(HooklineError):
    """A JSON array has more than `MAX_ELEMENTS` elements."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """What came. `path` is raw and without the query.

    `form` has all names and values that are content, of a form body or of a GET's query; `params` the same by name, and for a
    JSON object its members as text. `rest` is whatever else is content. `signed` are those of `form` that the signature covers
    one by one, `body` is the body if it does so as a whole, else None.
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
        ValueError: if it cannot be, or has content that no signature could cover.

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
    """Return the members of a JSON object, text as it is and all else as its JSON; none if it is something else."""
    return members_of(decode_json(body))


def elements(body: bytes) -> list[bytes] | None:
    """Return the elements of a JSON array, each byte by byte as it came; None if `body` is something else.

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
    """Return the SID of the account that a webhook says it is of, empty if it names none."""
    return params.get("AccountSid") or params.get("account_sid", "")


@lru_cache(maxsize=64)
def is_encoded(content_encoding: str) -> bool:
    """Whether the header says that the body is compressed: it is refused, since it could grow past every limit."""
    return content_encoding.strip().lower() not in _NOT_ENCODED
