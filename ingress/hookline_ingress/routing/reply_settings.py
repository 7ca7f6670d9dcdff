"""`reply` of a route in the TOML file: TwiML, or a status with a body of any type."""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from hookline_ingress.http.replies import NO_CONTENT
from hookline_ingress.http.request import Reply
from hookline_shared.validation import Check, InvalidError, SettingsTable, read_table

_LARGEST: Final = 64_000
"""Bytes; Twilio refuses more TwiML with error 11750."""
_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)?", re.ASCII)
_WITHOUT_BODY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT)
_TWIML: Final = "text/xml"
_XML: Final = (_TWIML, "application/xml")


def _status(status: int) -> int:
    if status not in set(HTTPStatus):
        raise ValueError(f"there is no HTTP status {status}")
    if status < HTTPStatus.OK or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise ValueError(f"Twilio cannot use the status {status}; use 2xx, 4xx or 5xx")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise ValueError("Twilio does not support 429")
    return status


def _type(text: str) -> str:
    if not _TYPE.fullmatch(text):
        raise ValueError('it must be a content type, such as "application/json"')
    if _plain(text) == "text/plain":
        raise ValueError("text/plain is never a reply, because Twilio would send it to the sender of a message")
    return text


class ReplySettings(SettingsTable, frozen=True, kw_only=True):
    """The reply to every event of a path that is stored. Without a body, it has no type."""

    status: Annotated[int, Check(_status)] = 200
    """HTTP status: 2xx, 4xx or 5xx."""
    type: Annotated[str, Check(_type)] = "application/json"
    """Content type of the body."""
    body: str = ""
    """The body."""

    @classmethod
    def contradictions(cls, valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield that the body is none of its status or type."""
        body = valid.get("body", "")
        if body and (status := valid.get("status")) in _WITHOUT_BODY:
            yield "body", f"a {status} has no body; use 200"
        elif body and (problem := _problem_with(body, _plain(valid.get("type", "")))):
            yield "body", problem

    def as_reply(self) -> Reply:
        """Return the reply."""
        if self.status == HTTPStatus.NO_CONTENT:
            return NO_CONTENT
        return Reply(self.status, self.type, self.body.encode()) if self.body else Reply(self.status)


def read_reply(value: Any) -> ReplySettings:
    """Return the settings of TwiML, a string, or of a table.

    Raises:
        ValueError: naming every mistake.

    """
    if isinstance(value, dict):
        try:
            return read_table(ReplySettings, value)
        except InvalidError as error:
            raise ValueError(str(error)) from None  # as one mistake of `reply`
    if not isinstance(value, str):
        raise ValueError('it must be TwiML, or a table such as { status = 200, type = "application/json", body = "{}" }')  # noqa: TRY004
    if not value:
        return ReplySettings(status=HTTPStatus.NO_CONTENT)
    if problem := _problem_with(value, _TWIML):
        raise ValueError(problem)
    return ReplySettings(type=_TWIML, body=value)


def _problem_with(body: str, kind: str) -> str:
    """Return what is wrong with a body of the type `kind`, empty if nothing is."""
    if len(body.encode()) > _LARGEST:
        return "Twilio accepts no TwiML above 64 kB" if kind in _XML else "it is larger than 64 kB"
    if kind in _XML:
        return _problem_with_twiml(body)
    if kind.endswith("json"):
        try:
            json.loads(body, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            return f"it is not JSON: {error}"
    return ""


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")


def _problem_with_twiml(text: str) -> str:
    from xml.etree import ElementTree  # noqa: PLC0415 - half a megabyte that only TwiML needs

    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - the operator's own file
    except ElementTree.ParseError as error:
        return f"it is not XML: {error}"
    return "" if root.tag == "Response" else f"TwiML is a <Response>, not a <{root.tag}>"


def _plain(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
