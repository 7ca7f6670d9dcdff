"""`[[routes]]` in the TOML file."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hookline_ingress.http.request import Reply
from hookline_ingress.limits.rates import Rate
from hookline_ingress.reply_settings import ReplySetting
from hookline_shared.kinds import KINDS
from hookline_shared.validation import describe_errors

_PATH: Final = re.compile(r"/[!-~]*")


def _path(path: str) -> str:
    if not _PATH.fullmatch(path) or "?" in path or "#" in path:
        raise ValueError("a path must begin with / and have no query or fragment; write it %-encoded, as Twilio sends it")
    return path


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind}; the kinds are {', '.join(KINDS)}")
    return kind


class RouteSettings(BaseModel):
    """One path, new or built-in. For a built-in path, what is left out stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, AfterValidator(_path)] = Field(description="As in the URL that Twilio calls, after PUBLIC_URL")
    kind: Annotated[str, AfterValidator(_kind)] | None = Field(
        None, description="The kind of webhooks that match no other kind"
    )
    topic: str | None = Field(None, description="The topic of all events of this path")
    reply: ReplySetting | None = Field(
        None, description="TwiML, or a table with status, type and body. Empty: a 204 without a body"
    )
    max_body: int | None = Field(None, description="Largest body in bytes. A larger one gets a 413", ge=1, le=1 << 24)
    sender_rate: float | None = Field(None, description="Events per second of one sender, instead of INGRESS_SENDER_RATE", ge=0)
    sender_burst: int | None = Field(
        None, description="Events that one sender can send at once, instead of INGRESS_SENDER_BURST", ge=1
    )

    @model_validator(mode="after")
    def _check_rate(self) -> Self:
        if self.sender_burst is not None and self.sender_rate is None:
            raise ValueError("sender_burst needs a sender_rate")
        return self

    def as_reply(self) -> Reply | None:
        """Return the reply, None if the kind's own applies."""
        return None if self.reply is None else self.reply.as_reply()

    def rate(self) -> Rate | None:
        """Return the rate of one sender, None if the settings' applies."""
        if self.sender_rate is None:
            return None
        return Rate(self.sender_rate, self.sender_burst or max(1, round(10 * self.sender_rate)))


def _read(value: Any) -> tuple[RouteSettings, ...]:
    """Return the routes.

    Raises:
        ValueError: naming every mistake and its route.

    """
    if not isinstance(value, list | tuple):
        raise ValueError("it must be a list of tables, each with the header [[routes]]")  # noqa: TRY004 - pydantic reports this one
    routes, problems = [], []
    for position, table in enumerate(value, start=1):
        try:
            routes.append(RouteSettings.model_validate(table))
        except ValidationError as error:
            path = table.get("path", "no path") if isinstance(table, dict) else "no table"
            problems += describe_errors(error, RouteSettings, f"route {position} ({path})")
    paths = Counter(route.path for route in routes)
    problems += [f"there are {times} routes for {path}" for path, times in paths.items() if times > 1]
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(routes)


def check_topics(routes: Sequence[RouteSettings], topics: Collection[str]) -> None:
    """Check that the topic of every route is one of `topics`.

    Raises:
        ValueError: naming the routes whose topic is not.

    """
    unknown = [route for route in routes if route.topic is not None and route.topic not in topics]
    if unknown:
        problems = [f"route {route.path}: there is no topic {route.topic}" for route in unknown]
        raise ValueError(f"{'; '.join(problems)}; the topics are {', '.join(topics)}, and [topics.<name>] adds one")


RoutesSetting = Annotated[tuple[RouteSettings, ...], BeforeValidator(_read)]
"""All of `[[routes]]`, no two of them for one path."""
