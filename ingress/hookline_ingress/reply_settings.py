"""`reply` of a route in the TOML file: TwiML, or a status with a body of any type."""

import json
from http import HTTPStatus
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hookline_ingress.http.replies import NO_CONTENT
from hookline_ingress.http.request import Reply
from hookline_shared.validation import describe_errors

_LARGEST: Final = 64_000
"""Bytes; Twilio refuses more TwiML with error 11750."""
_TYPE: Final = r"^[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)?$"
_XML: Final = ("text/xml", "application/xml")
_NEVER: Final = {
    HTTPStatus.TOO_MANY_REQUESTS: "Twilio does not support 429",
    HTTPStatus.RESET_CONTENT: "a 205 has no meaning for Twilio; use 204",
}
_WITHOUT_BODY: Final = HTTPStatus.NO_CONTENT


class ReplySettings(BaseModel):
    """The reply to every event of a path that is stored. Without a body, it has no type."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    status: int = Field(200, description="HTTP status: 2xx, 4xx or 5xx")
    type: str = Field("application/json", description="Content type of the body", pattern=_TYPE)
    body: str = Field("", description="The body")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_status(self.status)
        if self.status == _WITHOUT_BODY and self.body:
            raise ValueError("a 204 has no body; use 200")
        if len(self.body.encode()) > _LARGEST:
            raise ValueError("Twilio accepts no TwiML above 64 kB" if self._kind in _XML else "the body is larger than 64 kB")
        if self.body:
            self._check_body()
        return self

    @property
    def _kind(self) -> str:
        return self.type.partition(";")[0].strip().lower()

    def _check_body(self) -> None:
        if self._kind == "text/plain":
            raise ValueError("text/plain is never a reply, because Twilio would send it to the sender of a message")
        if self._kind in _XML:
            _check_twiml(self.body)
        elif self._kind.endswith("json"):
            try:
                json.loads(self.body)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"it is not JSON: {error}") from None

    def as_reply(self) -> Reply:
        """Return the reply."""
        if self.status == _WITHOUT_BODY:
            return NO_CONTENT
        return Reply(self.status, self.type, self.body.encode()) if self.body else Reply(self.status)


def _check_status(status: int) -> None:
    try:
        known = HTTPStatus(status)
    except ValueError:
        raise ValueError(f"there is no HTTP status {status}") from None
    if known < HTTPStatus.OK or HTTPStatus.MULTIPLE_CHOICES <= known < HTTPStatus.BAD_REQUEST:
        raise ValueError(f"Twilio cannot use the status {status}; use 2xx, 4xx or 5xx")
    if known in _NEVER:
        raise ValueError(_NEVER[known])


def _check_twiml(text: str) -> None:
    from xml.etree import ElementTree  # noqa: PLC0415 - half a megabyte that only TwiML needs

    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - the operator's own file
    except ElementTree.ParseError as error:
        raise ValueError(f"it is not XML: {error}") from None
    if root.tag != "Response":
        raise ValueError(f"TwiML is a <Response>, not a <{root.tag}>")


def _read(value: Any) -> ReplySettings:
    """Return the settings of TwiML, a string, or of a table.

    Raises:
        ValueError: naming every mistake.

    """
    if isinstance(value, ReplySettings):
        return value
    if isinstance(value, str):
        value = {"type": "text/xml", "body": value} if value else {"status": _WITHOUT_BODY}
    if not isinstance(value, dict):
        raise ValueError('it must be TwiML, or a table: { status = 200, type = "application/json", body = "{}" }')  # noqa: TRY004
    try:
        return ReplySettings.model_validate(value)
    except ValidationError as error:
        problems = describe_errors(error, ReplySettings, "")
        raise ValueError("; ".join(problem.removeprefix(": ") for problem in problems)) from None


ReplySetting = Annotated[ReplySettings, BeforeValidator(_read)]
"""`reply` of a route."""
