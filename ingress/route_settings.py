"""`[[routes]]` in the TOML file."""

from typing import Annotated, Final, Self
from xml.etree import ElementTree

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ingress.catalogue import KINDS
from ingress.rates import Rate
from ingress.replies import NO_CONTENT
from ingress.request import Reply
from shared.topics import DEFAULT_TOPICS

_LARGEST_TWIML: Final = 64_000
"""Bytes; Twilio refuses more with error 11750."""


def _path(path: str) -> str:
    if not path.startswith("/") or "?" in path or "#" in path or not path.isascii():
        raise ValueError("a path begins with / and has neither a query nor a fragment; write what Twilio sends, %-encoded")
    return path


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind}; the kinds are {', '.join(KINDS)}")
    return kind


def _topic(topic: str) -> str:
    if topic not in DEFAULT_TOPICS:
        raise ValueError(f"there is no topic {topic}; the topics are {', '.join(DEFAULT_TOPICS)}")
    return topic


def _twiml(text: str) -> str:
    if not text:
        return text
    if len(text.encode()) > _LARGEST_TWIML:
        raise ValueError("Twilio takes no TwiML above 64 kB")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - the operator's own file
    except ElementTree.ParseError as error:
        raise ValueError(f"it is not XML: {error}") from None
    if root.tag != "Response":
        raise ValueError(f"TwiML is a <Response>, not a <{root.tag}>")
    return text


class RouteSettings(BaseModel):
    """One path, new or one that exists. What is left out stays as it is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, AfterValidator(_path)] = Field(description="As in the URL that Twilio calls, after PUBLIC_URL")
    kind: Annotated[str, AfterValidator(_kind)] | None = Field(
        None, description="What webhooks are taken for that do not tell their kind"
    )
    topic: Annotated[str, AfterValidator(_topic)] | None = Field(None, description="The topic of all that comes here")
    reply: Annotated[str, AfterValidator(_twiml)] | None = Field(
        None, description="TwiML to answer with; empty answers 204 and no body"
    )
    max_body: int | None = Field(None, description="Bytes; a larger body gets 413", ge=1, le=1 << 24)
    sender_rate: float | None = Field(None, description="Events per second of one sender, instead of INGRESS_SENDER_RATE", ge=0)
    sender_burst: int | None = Field(None, description="Events at once of one sender, instead of INGRESS_SENDER_BURST", ge=1)

    @model_validator(mode="after")
    def _check_rate(self) -> Self:
        if self.sender_burst is not None and self.sender_rate is None:
            raise ValueError("sender_burst needs a sender_rate beside it")
        return self

    def as_reply(self) -> Reply | None:
        """Give the reply, None if the kind's own applies."""
        if self.reply is None:
            return None
        return Reply(200, "text/xml", self.reply.encode()) if self.reply else NO_CONTENT

    def rate(self) -> Rate | None:
        """Give the rate of one sender, None if the settings' applies."""
        if self.sender_rate is None:
            return None
        return Rate(self.sender_rate, self.sender_burst or max(1, round(10 * self.sender_rate)))
