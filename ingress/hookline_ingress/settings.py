"""The settings of ingress."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from hookline_ingress.http.proxies import parse_networks
from hookline_ingress.limits.rates import Rate
from hookline_ingress.route_settings import RouteSettings, RoutesSetting, check_topics
from hookline_shared.distribution import install_command
from hookline_shared.settings.base import CommaSeparated, Port, SharedSettings
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.validation import split_url

_TOKEN = re.compile(r"^(AC[0-9a-fA-F]{32}=)?[^\s=]{5,}$")
_SHARED_KEY = re.compile(r"^[^\s=]+=\S{5,}$")
_SPOOL_PATH: Final = "INGRESS_SPOOL_PATH"


def _public_urls(urls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_public_url(position, url) for position, url in enumerate(urls, start=1))


def _public_url(position: int, url: str) -> str:
    """Return `url` without credentials, which Twilio drops before it signs. Errors do not quote it: they may be in it."""
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


def _shared_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    for position, key in enumerate(keys, start=1):
        if not _SHARED_KEY.match(key):
            raise ValueError(f"number {position} is not of the form id=secret")
    return keys


def _networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    parse_networks(networks)
    return networks


def _sendgrid_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        return keys
    if find_spec("cryptography") is None:
        raise ValueError(f"it needs the package cryptography: {install_command('sendgrid')}")
    from hookline_ingress.sendgrid_signature import SendGridKeys  # noqa: PLC0415 - cryptography takes memory that only this needs

    SendGridKeys(keys)
    return keys


def _spool_path(path: object) -> object:
    """Return None for an empty path, which means that there is no spool."""
    return path or None


class IngressSettings(SharedSettings):
    """All settings of ingress."""

    fallbacks: ClassVar = (
        Fallback("PORT", "INGRESS_PORT", "Counts as INGRESS_PORT where that is not set; platforms set it", lambda _port: ""),
    )

    empty_counts: ClassVar = (_SPOOL_PATH,)

    public_urls: Annotated[CommaSeparated, AfterValidator(_public_urls), Field(min_length=1)] = Field(
        validation_alias="PUBLIC_URL",
        description="The base URL(s) as Twilio calls them, comma-separated, for example https://hooks.example.com",
    )
    auth_tokens: Annotated[CommaSeparated, AfterValidator(_tokens), Field(min_length=1)] = Field(
        validation_alias="TWILIO_AUTH_TOKEN",
        description="The auth token(s) from the Twilio console, comma-separated; ACxxx=token binds one to an account",
        repr=False,
    )
    shared_keys: Annotated[CommaSeparated, AfterValidator(_shared_keys)] = Field(
        (),
        validation_alias="TWILIO_SHARED_KEYS",
        description="Shared keys that sign webhooks instead of the auth token, comma-separated id=secret",
        repr=False,
    )
    sendgrid_keys: Annotated[CommaSeparated, AfterValidator(_sendgrid_keys)] = Field(
        (),
        validation_alias="SENDGRID_PUBLIC_KEY",
        description="Verification key(s) of SendGrid's event webhook, comma-separated; with one, /sendgrid takes its events",
    )
    trusted_proxies: Annotated[CommaSeparated, AfterValidator(_networks)] = Field(
        (),
        validation_alias="INGRESS_TRUSTED_PROXIES",
        description="Networks whose X-Forwarded-For, -Proto and -Host are believed, comma-separated, for example 10.0.0.0/8",
    )
    routes: RoutesSetting = Field(
        (), validation_alias="ROUTES", description="[[routes]] of the TOML file: paths of your own, see docs/webhooks.md"
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
        250,
        validation_alias="INGRESS_WRITE_BUDGET_MS",
        description="Milliseconds that Redis has for a write; then it goes to the spool",
        ge=1,
    )
    dedupe_window_s: int = Field(
        3600, validation_alias="INGRESS_DEDUPE_WINDOW_S", description="How long a duplicate is recognised", ge=1
    )
    max_in_flight: int = Field(
        1000, validation_alias="INGRESS_MAX_IN_FLIGHT", description="Requests at once; more get a 503", ge=1
    )
    max_body: int = Field(
        65536,
        validation_alias="INGRESS_MAX_BODY",
        description="Bytes; a larger body gets 413. Bodies that are no forms may have 1 MiB in any case",
        ge=1,
        le=1 << 24,
    )
    max_connections: int = Field(
        20_000, validation_alias="INGRESS_MAX_CONNECTIONS", description="Open at once; then the idle ones are closed", ge=10
    )
    read_timeout_s: float = Field(
        10, validation_alias="INGRESS_READ_TIMEOUT_S", description="Seconds in which a request must come, head and body", gt=0
    )
    keepalive_s: float = Field(
        75, validation_alias="INGRESS_KEEPALIVE_S", description="Seconds that a connection may wait for its next request", gt=0
    )
    spool_path: Annotated[Path | None, BeforeValidator(_spool_path)] = Field(
        Path("var/spool.db"),
        validate_default=True,
        validation_alias=_SPOOL_PATH,
        description="File that keeps what Redis does not take, on a local disk, one for each ingress; empty: none, but a 503",
    )
    spool_max_mb: int = Field(
        512, validation_alias="INGRESS_SPOOL_MAX_MB", description="Size of the spool in MiB; when it is full: 503", ge=1
    )
    sender_rate: float = Field(
        10,
        validation_alias="INGRESS_SENDER_RATE",
        description="Events per second of one sender; above, they go to the topic bulk. 0: no limit",
        ge=0,
    )
    sender_burst: int = Field(
        100, validation_alias="INGRESS_SENDER_BURST", description="Events at once of one sender before the rate counts", ge=1
    )
    address_rate: float = Field(
        10,
        validation_alias="INGRESS_ADDRESS_RATE",
        description="Requests per second of one address that do not verify; above, it is turned away unread. 0: no limit",
        ge=0,
    )
    address_burst: int = Field(
        100, validation_alias="INGRESS_ADDRESS_BURST", description="Such requests at once before that rate counts", ge=1
    )
    shutdown_s: float = Field(
        10, validation_alias="INGRESS_SHUTDOWN_S", description="Seconds that requests under way get at shutdown", ge=0
    )

    @field_validator("routes")
    @classmethod
    def _check_topics(cls, routes: tuple[RouteSettings, ...], others: ValidationInfo) -> tuple[RouteSettings, ...]:
        if "topics" in others.data:  # else they are wrong themselves
            check_topics(routes, others.data["topics"])
        return routes

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must not be logged."""
        tokens = (token.rpartition("=")[2] for token in self.auth_tokens)
        return (*super().secrets(), *tokens, *(key.partition("=")[2] for key in self.shared_keys))

    def sender_limit(self) -> Rate:
        """Return the rate of one sender."""
        return Rate(self.sender_rate, self.sender_burst)

    def address_limit(self) -> Rate:
        """Return the rate of one address's requests that do not verify."""
        return Rate(self.address_rate, self.address_burst)
