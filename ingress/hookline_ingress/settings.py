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
from hookline_ingress.signatures.secrets import TOKENS_PATH, parse_secrets, parse_shared_keys
from hookline_shared.distribution import install_command
from hookline_shared.settings.base import CommaSeparated, Port, SharedSettings
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.validation import split_url

_TOKEN = re.compile(r"^(AC[0-9a-fA-F]{32}=)?[^\s=]{5,}$")
_SHARED_KEY = re.compile(r"^(AC[0-9a-fA-F]{32}=(?=[^\s=]+=))?[^\s=]+=\S{5,}$")
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
            raise ValueError(f"number {position} is not of the form id=secret or ACxxx=id=secret (a 34-character account SID)")
    return keys


def _networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    parse_networks(networks)
    return networks


def _sendgrid_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        return keys
    if find_spec("cryptography") is None:
        raise ValueError(f"it needs the package cryptography: {install_command('sendgrid')}")
    from hookline_ingress.signatures.sendgrid import SendGridKeys  # noqa: PLC0415 - cryptography takes memory that only this needs

    SendGridKeys(keys)
    return keys


def _spool_path(path: object) -> object:
    """Return None for an empty path, which means that there is no spool."""
    return path or None


class IngressSettings(SharedSettings):
    """All settings of ingress."""

    fallbacks: ClassVar = (
        Fallback("PORT", "INGRESS_PORT", "Used as INGRESS_PORT if that is not set. Some platforms set it", lambda _port: ""),
    )

    empty_counts: ClassVar = (_SPOOL_PATH,)

    public_urls: Annotated[CommaSeparated, AfterValidator(_public_urls), Field(min_length=1)] = Field(
        validation_alias="PUBLIC_URL",
        description="Base URL that Twilio calls, for example https://hooks.example.com; separate several with commas",
    )
    auth_tokens: Annotated[CommaSeparated, AfterValidator(_tokens), Field(min_length=1)] = Field(
        validation_alias="TWILIO_AUTH_TOKEN",
        description="Auth token from the Twilio console; separate several with commas. ACxxx=token is valid only for account "
        "ACxxx",
        repr=False,
    )
    tokens_path: Path | None = Field(
        None,
        validation_alias=TOKENS_PATH,
        description="File with the tokens of subaccounts, a line ACxxx=token for each. It is read again when it changes, so a "
        "new subaccount needs no restart",
    )
    shared_keys: Annotated[CommaSeparated, AfterValidator(_shared_keys)] = Field(
        (),
        validation_alias="TWILIO_SHARED_KEYS",
        description="Shared keys that sign webhooks instead of the auth token, as id=secret; separate several with commas. "
        "ACxxx=id=secret is valid only for account ACxxx",
        repr=False,
    )
    sendgrid_keys: Annotated[CommaSeparated, AfterValidator(_sendgrid_keys)] = Field(
        (),
        validation_alias="SENDGRID_PUBLIC_KEY",
        description="Verification key of SendGrid's event webhook; separate several with commas. Without one, the path "
        "/sendgrid does not exist",
    )
    trusted_proxies: Annotated[CommaSeparated, AfterValidator(_networks)] = Field(
        (),
        validation_alias="INGRESS_TRUSTED_PROXIES",
        description="Networks of your proxies, for example 10.0.0.0/8; separate several with commas. Only their "
        "X-Forwarded-For, -Proto and -Host headers are used",
    )
    routes: RoutesSetting = Field(
        (),
        validation_alias="ROUTES",
        description="Custom paths, only in the TOML file: tables [[routes]], see docs/webhooks.md",
    )
    host: str = Field("0.0.0.0", validation_alias="INGRESS_HOST", description="Address on which webhooks are received")  # noqa: S104
    port: Port = Field(8080, validation_alias="INGRESS_PORT", description="Port on which webhooks are received")
    admin_host: str = Field("127.0.0.1", validation_alias="INGRESS_ADMIN_HOST", description="Address of the admin port")
    admin_port: Port = Field(
        9080, validation_alias="INGRESS_ADMIN_PORT", description="Port of health checks and metrics (admin port)"
    )
    durability: Literal["memory", "replica", "fsync"] = Field(
        "memory",
        validation_alias="INGRESS_DURABILITY",
        description="What a 2xx answer guarantees about an event in Redis. memory: the master has it. replica: a replica has "
        "it, too. fsync: it is on the master's disk",
    )
    write_budget_ms: int = Field(
        250,
        validation_alias="INGRESS_WRITE_BUDGET_MS",
        description="Milliseconds that Redis has to confirm an event. After that, the event goes to the spool",
        ge=1,
    )
    dedupe_window_s: int = Field(
        3600,
        validation_alias="INGRESS_DEDUPE_WINDOW_S",
        description="Seconds during which duplicates of an event are recognized",
        ge=1,
    )
    max_in_flight: int = Field(
        1000,
        validation_alias="INGRESS_MAX_IN_FLIGHT",
        description="Largest number of concurrent requests. More get a 503",
        ge=1,
    )
    max_body: int = Field(
        65536,
        validation_alias="INGRESS_MAX_BODY",
        description="Largest form in bytes. A larger one gets a 413. For other bodies, the limit is this value or 1 MiB, "
        "whichever is larger",
        ge=1,
        le=1 << 24,
    )
    max_connections: int = Field(
        20_000,
        validation_alias="INGRESS_MAX_CONNECTIONS",
        description="Largest number of open connections. Above it, idle connections are closed",
        ge=10,
    )
    read_timeout_s: float = Field(
        10,
        validation_alias="INGRESS_READ_TIMEOUT_S",
        description="Time limit in seconds for receiving a request, head and body",
        gt=0,
    )
    keepalive_s: float = Field(
        75, validation_alias="INGRESS_KEEPALIVE_S", description="Seconds that a connection may be idle between requests", gt=0
    )
    spool_path: Annotated[Path | None, BeforeValidator(_spool_path)] = Field(
        Path("var/spool.db"),
        validate_default=True,
        validation_alias=_SPOOL_PATH,
        description="File of the spool, which stores events that Redis does not accept. Each ingress process needs its own "
        "file on a local disk. Empty: no spool, and a 503 instead",
    )
    spool_max_mb: int = Field(
        512,
        validation_alias="INGRESS_SPOOL_MAX_MB",
        description="Largest size of the spool in MiB. When it is full, webhooks that need it get a 503",
        ge=1,
    )
    sender_rate: float = Field(
        10,
        validation_alias="INGRESS_SENDER_RATE",
        description="Rate limit of one sender in events per second. Events above it go to the topic bulk. 0: no limit",
        ge=0,
    )
    sender_burst: int = Field(
        100,
        validation_alias="INGRESS_SENDER_BURST",
        description="Events that one sender can send at once before INGRESS_SENDER_RATE applies",
        ge=1,
    )
    address_rate: float = Field(
        10,
        validation_alias="INGRESS_ADDRESS_RATE",
        description="Requests per second of one address with a missing or wrong signature. Above it, the address gets a 403 "
        "without verification. 0: no limit",
        ge=0,
    )
    address_burst: int = Field(
        100,
        validation_alias="INGRESS_ADDRESS_BURST",
        description="Requests with a missing or wrong signature that one address can send at once before INGRESS_ADDRESS_RATE "
        "applies",
        ge=1,
    )
    shutdown_s: float = Field(
        10, validation_alias="INGRESS_SHUTDOWN_S", description="Seconds that running requests get to finish at shutdown", ge=0
    )

    @field_validator("routes")
    @classmethod
    def _check_topics(cls, routes: tuple[RouteSettings, ...], others: ValidationInfo) -> tuple[RouteSettings, ...]:
        if "topics" in others.data:  # else they are wrong themselves
            check_topics(routes, others.data["topics"])
        return routes

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must not be logged."""
        secrets = (*parse_secrets(self.auth_tokens), *parse_shared_keys(self.shared_keys).values())
        return (*super().secrets(), *(secret.value.decode() for secret in secrets))

    def sender_limit(self) -> Rate:
        """Return the rate of one sender."""
        return Rate(self.sender_rate, self.sender_burst)

    def address_limit(self) -> Rate:
        """Return the rate of one address's requests that do not verify."""
        return Rate(self.address_rate, self.address_burst)
