"""The settings of ingress."""

import re
from typing import Annotated, Literal
from urllib.parse import urlunsplit

from pydantic import AfterValidator, Field

from shared.settings import CommaSeparated, Port, SharedSettings, split_url

_TOKEN = re.compile(r"^(AC[0-9a-fA-F]{32}=)?[^\s=]{5,}$")


def _public_urls(urls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_public_url(position, url) for position, url in enumerate(urls, start=1))


def _public_url(position: int, url: str) -> str:
    """Give `url` without credentials, which Twilio drops before it signs. Errors do not quote it: they may be in it."""
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"number {position} is not of the form https://host[:port][/prefix]")
    if parts.query or parts.fragment:
        raise ValueError(f"number {position} has a query or fragment; give only what comes before the path of a webhook")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def _tokens(tokens: tuple[str, ...]) -> tuple[str, ...]:
    for position, token in enumerate(tokens, start=1):
        if not _TOKEN.match(token):
            raise ValueError(f"number {position} is neither a token nor ACxxx=token (a 34-character account SID)")
    return tokens


class IngressSettings(SharedSettings):
    """Everything ingress can be told."""

    public_urls: Annotated[CommaSeparated, AfterValidator(_public_urls), Field(min_length=1)] = Field(
        validation_alias="PUBLIC_URL",
        description="The base URL(s) as Twilio calls them, comma-separated, for example https://hooks.example.com",
    )
    auth_tokens: Annotated[CommaSeparated, AfterValidator(_tokens), Field(min_length=1)] = Field(
        validation_alias="TWILIO_AUTH_TOKEN",
        description="The auth token(s) from the Twilio console, comma-separated; ACxxx=token binds one to an account",
        repr=False,
    )
    host: str = Field("0.0.0.0", validation_alias="INGRESS_HOST", description="Address to listen on")  # noqa: S104
    port: Port = Field(8080, validation_alias="INGRESS_PORT", description="Port that Twilio's webhooks reach")
    admin_host: str = Field(
        "127.0.0.1", validation_alias="INGRESS_ADMIN_HOST", description="Address of health checks and metrics"
    )
    admin_port: Port = Field(9080, validation_alias="INGRESS_ADMIN_PORT", description="Port of health checks and metrics")
    durability: Literal["memory", "replica", "fsync"] = Field(
        "memory",
        validation_alias="INGRESS_DURABILITY",
        description="What a 2xx answer means: memory = Redis has it, replica = a replica, too, fsync = it is on Redis' disk",
    )
    write_budget_ms: int = Field(
        250, validation_alias="INGRESS_WRITE_BUDGET_MS", description="How long a write may take before a 503", ge=1
    )
    dedupe_window_s: int = Field(
        3600, validation_alias="INGRESS_DEDUPE_WINDOW_S", description="How long a duplicate is recognised", ge=1
    )
    backlog_limit: int = Field(
        1_000_000,
        validation_alias="INGRESS_BACKLOG_LIMIT",
        description="Unsettled events per topic, over all partitions, above which new ones get a 503",
        ge=1,
    )
    max_in_flight: int = Field(
        1000, validation_alias="INGRESS_MAX_IN_FLIGHT", description="Requests at once; more get a 503", ge=1
    )
    max_body: int = Field(65536, validation_alias="INGRESS_MAX_BODY", description="Bytes; a larger body gets 413", ge=1)
    shutdown_s: float = Field(
        10, validation_alias="INGRESS_SHUTDOWN_S", description="Seconds that requests under way get at shutdown", ge=0
    )

    def secrets(self) -> tuple[str, ...]:
        """Give what must never be logged."""
        return (*super().secrets(), *(token.rpartition("=")[2] for token in self.auth_tokens))
