"""A request, decoded: the parameters of a form or of a query, or the members of a JSON object. Pure."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec
from msgspec.structs import replace
from multidict import istr

from hookline_ingress.http.request import Request
from hookline_ingress.translation.form_shape import NO_FORM, FormShape, shape_of
from hookline_shared.catalogue.sids import ACCOUNT_NAMES, Params, account_of
from hookline_shared.errors import HooklineError
from hookline_shared.parsing.forms import EMPTY, Form, parse_form
from hookline_shared.parsing.json_body import JSON, as_text, decode_json, is_form, members_of
from hookline_shared.parsing.multipart import boundary_of, parse_multipart

MAX_ELEMENTS: Final = 10_000
"""Twilio sends far fewer events at once, SendGrid at most 768 kB. An array of half a million zeros would take half a minute."""

TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
"""Header of SendGrid: when it signed the request, a part of the signed text."""

_LONGEST_CLAIM: Final = 256
"""Bytes of what may be an account; a SID has 34."""
_NOT_ENCODED: Final = ("", "identity")
_CONTENT_TYPE: Final = istr("Content-Type")


class TooManyElementsError(HooklineError):
    """A JSON array has more than `MAX_ELEMENTS` elements."""


class Webhook(msgspec.Struct, frozen=True, gc=False):
    """A decoded request: what is verified, and what an event is made of. An element of a JSON array has one of its own.

    `received_at` is Unix time in milliseconds. `signature` is the one that the request has, empty if there is none. `account`
    is the SID that the content names: until the request is verified, only a claim.

    `body` and `content_type` are those of the event. `form` has the parameters of a form body or of the query of a GET;
    `params` has the same by name, or the members of a JSON object as text; `rest` is all other content. `signed` has the
    parameters of `form` that the signature covers one by one; `signed_body` is the body if the signature covers it as a whole,
    else None. `is_element` is whether it is an element of an array. `text_hash` is a hash of the signed text if that may have
    several valid signatures, else empty. `shape` is that of `form`.
    """

    request: Request
    received_at: int
    signature: str
    account: str
    body: bytes
    content_type: str
    params: Params
    form: Form
    rest: bytes
    signed: Form = EMPTY
    signed_body: bytes | None = None
    is_element: bool = False
    text_hash: str = ""
    shape: FormShape = NO_FORM

    @property
    def path(self) -> str:
        """The path of the request, raw and without the query."""
        return self.request.target.partition("?")[0]

    def of_account(self, account: str | None) -> "Webhook":
        """Return the webhook of `account`, whose secret has verified it; itself if that secret is valid for all accounts."""
        return self if account is None or account == self.account else replace(self, account=account)

    def element(self, body: bytes) -> "Webhook":
        """Return the webhook of one element of a JSON array. The account that it names is ignored: nothing verified that."""
        return replace(
            self,
            body=body,
            content_type=JSON,
            params=members(body),
            form=EMPTY,
            shape=NO_FORM,
            rest=body,
            signed_body=None,
            is_element=True,
        )


def decode(request: Request, signature: str, received_at: int) -> Webhook:
    """Decode `request`, a GET or a POST, which has `signature` and was received at Unix time `received_at`, in milliseconds.

    Raises:
        ValueError: if it cannot be decoded, or has content that a signature cannot cover.

    """
    target = request.target.encode()  # one that is not UTF-8 could neither be signed nor stored
    query = target.partition(b"?")[2]
    body, sent_type = request.body, request.headers.get(_CONTENT_TYPE)
    content_type = sent_type or ""
    if request.method == "GET":
        if body:
            raise ValueError("the body of a GET is not signed")
        form, rest, signed = parse_form(query), b"", EMPTY
    elif is_form(content_type) or (sent_type is None and not body):
        form = signed = parse_form(body)
        rest = query
    else:
        if boundary_of(content_type):
            raise ValueError("only SendGrid sends multipart bodies")
        account, rest = claimed_account(body), query + b"\n" + body
        return Webhook(request, received_at, signature, account, body, content_type, members(body), EMPTY, rest, EMPTY, body)
    params = form.params
    shape = shape_of(tuple(params))
    account = account_of(params, shape.account_names)
    return Webhook(
        request, received_at, signature, account, body, content_type, params, form, rest, signed, None, False, "", shape
    )


def decode_sendgrid(request: Request, signature: str, received_at: int) -> Webhook:
    """Decode `request`, one of SendGrid, as `decode` does. Its query is not signed, and therefore not content.

    Its content type is not signed either, so the only boundary between parts that counts is the one that the body begins with.

    Raises:
        ValueError: if it is a GET or a form, which SendGrid never sends, or its body has another boundary.

    """
    content_type, body = request.headers.get("Content-Type", ""), request.body
    if request.method != "POST" or is_form(content_type):
        raise ValueError("SendGrid sends its events as the JSON of a POST, and e-mails as multipart")
    request.target.encode()  # one that is not UTF-8 could not be stored
    boundary = boundary_of(content_type)
    if boundary and not body.startswith(b"--" + boundary + b"\r\n"):
        raise ValueError("the body does not begin with the boundary that its content type names")
    params = fields(body, boundary) if boundary else members(body)
    webhook = Webhook(request, received_at, signature, "", body, content_type, params, EMPTY, body, EMPTY, body)
    return replace(webhook, text_hash=sha256(signed_by_sendgrid(request)).hexdigest()[:40])


def signed_by_sendgrid(request: Request) -> bytes:
    """Return the text of `request` that SendGrid signs. Many ECDSA signatures are valid for it, so none stands for it."""
    return request.headers.get(TIMESTAMP, "").encode(errors="replace") + request.body


_Claim = msgspec.defstruct("_Claim", [(name, msgspec.Raw, msgspec.Raw(b"null")) for name in ACCOUNT_NAMES])
"""The members of a JSON object that name its account, as they stand there. Skipping the others takes no memory."""


class _Decoded(Mapping[str, str]):
    """The parameters that `decode` returns, which is called when they are first asked for.

    Decoding a megabyte takes 50 ms, and must not happen before the signature is verified.
    """

    __slots__ = ("_decode", "_found")

    def __init__(self, decode: Callable[[], Params]) -> None:
        self._decode = decode
        self._found: Params | None = None

    def _decoded(self) -> Params:
        if self._found is None:
            self._found = self._decode()
        return self._found

    def __getitem__(self, name: str) -> str:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())


def members(body: bytes | msgspec.Raw) -> Params:
    """Return the members of a JSON object, other values than text as JSON; none if `body` is not a JSON object."""
    return _Decoded(lambda: members_of(decode_json(body)))


def fields(body: bytes, boundary: bytes) -> Params:
    """Return the fields of the multipart `body`, whose parts `boundary` separates."""
    return _Decoded(lambda: parse_multipart(body, boundary))


def claimed_account(body: bytes) -> str:
    """Return the account that a JSON object names, empty if it names none, without decoding the rest of `body`."""
    try:
        claim = msgspec.json.decode(body, type=_Claim)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return account_of({name: _claimed(getattr(claim, name)) for name in ACCOUNT_NAMES})


def _claimed(value: msgspec.Raw) -> str:
    """Return what `members` has of `value`, empty if that is too long for a SID."""
    decoded = decode_json(value) if len(value) <= _LONGEST_CLAIM else None
    return "" if decoded is None else as_text(decoded)


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


@lru_cache(maxsize=64)
def is_encoded(content_encoding: str) -> bool:
    """Whether the header says that the body is compressed: it is refused, since it could grow past every limit."""
    return content_encoding.strip().lower() not in _NOT_ENCODED
