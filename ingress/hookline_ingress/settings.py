"""The settings of ingress."""

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlunsplit

from msgspec import Meta

from hookline_ingress.http.proxies import parse_networks
from hookline_ingress.limits.rates import Rate
from hookline_ingress.live_settings import LiveSettings
from hookline_ingress.routing.route_settings import LARGEST_JSON, RoutesSetting, check_topics
from hookline_ingress.signatures.provider_function import LOCATION, TOKENS_PROVIDER
from hookline_ingress.signatures.secrets import TOKENS_PATH, parse_secrets, parse_shared_keys
from hookline_shared.distribution import install_command
from hookline_shared.redis.options import RedisOptions
from hookline_shared.settings.base import CommaSeparated, Port, SharedSettings
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.validation import AtLeastOne, Check, NotNegative, Positive, Read, Variable, split_url

_TOKEN = re.compile(r"^(AC[0-9a-fA-F]{32}=)?[^\s=]{5,}$")
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
    parse_shared_keys(keys)
    return keys


def _location(location: str) -> str:
    if not LOCATION.fullmatch(location):
        raise ValueError("it is not of the form module:function")
    return location


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


def _optional_path(path: object) -> Path | None:
    """Return None for an empty path, which means that there is no such file."""
    if not isinstance(path, str | Path):
        raise ValueError("it must be a path")  # noqa: TRY004 - reported beside other problems
    return Path(path) if path != "" else None


def _at_least_one(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("it has no value")
    return values


class IngressSettings(SharedSettings, frozen=True, kw_only=True):
    """All settings of ingress."""

    fallbacks: ClassVar = (
        Fallback("PORT", "INGRESS_PORT", "Used as INGRESS_PORT if that is not set. Some platforms set it", lambda _port: ""),
    )

    empty_counts: ClassVar = (_SPOOL_PATH,)

    public_urls: Annotated[
        CommaSeparated,
        Check(_public_urls),
        Check(_at_least_one),
        Variable(
            "PUBLIC_URL", "Base URL that Twilio calls, for example https://hooks.example.com; separate several with commas"
        ),
    ]
    auth_tokens: Annotated[
        CommaSeparated,
        Check(_tokens),
        Check(_at_least_one),
        Variable(
            "TWILIO_AUTH_TOKEN",
            "Auth token from the Twilio console; separate several with commas. ACxxx=token is valid only for account ACxxx",
            secret=True,
        ),
    ]
    tokens_path: Annotated[
        Path | None,
        Read(_optional_path),
        Variable(
            TOKENS_PATH,
            "File with the tokens of subaccounts, a line ACxxx=token for each. It is read again when it changes, so a new "
            "subaccount needs no restart",
        ),
    ] = None
    tokens_provider: Annotated[
        str | None,
        Check(_location),
        Variable(
            TOKENS_PROVIDER,
            "Function of yours, module:function, that returns the token of an account, a list of tokens, or None. It is called "
            "with the SID of an account whose token is not known, see docs/webhooks.md",
        ),
    ] = None
    tokens_cache_s: Annotated[
        Positive,
        Variable(
            "TWILIO_TOKENS_CACHE_S", "Seconds for which a token of TWILIO_TOKENS_PROVIDER is used before it is asked again"
        ),
    ] = 3600
    shared_keys: Annotated[
        CommaSeparated,
        Check(_shared_keys),
        Variable(
            "TWILIO_SHARED_KEYS",
            "Shared keys that sign webhooks instead of the auth token, as id=secret; separate several with commas. "
            "ACxxx=id=secret is valid only for account ACxxx",
            secret=True,
        ),
    ] = ()
    sendgrid_keys: Annotated[
        CommaSeparated,
        Check(_sendgrid_keys),
        Variable(
            "SENDGRID_PUBLIC_KEY",
            "Verification key of SendGrid's event webhook; separate several with commas. Without one, the path "
            "/sendgrid does not exist",
        ),
    ] = ()
    trusted_proxies: Annotated[
        CommaSeparated,
        Check(_networks),
        Variable(
            "INGRESS_TRUSTED_PROXIES",
            "Networks of your proxies, for example 10.0.0.0/8; separate several with commas. Only their "
            "X-Forwarded-For, -Proto and -Host headers are used",
        ),
    ] = ()
    routes: Annotated[
        RoutesSetting, Variable("ROUTES", "Custom paths, only in the TOML file: tables [[routes]], see docs/webhooks.md")
    ] = ()
    host: Annotated[str, Variable("INGRESS_HOST", "Address on which webhooks are received")] = "0.0.0.0"  # noqa: S104
    port: Annotated[Port, Variable("INGRESS_PORT", "Port on which webhooks are received")] = 8080
    admin_host: Annotated[str, Variable("INGRESS_ADMIN_HOST", "Address of the admin port")] = "127.0.0.1"
    admin_port: Annotated[Port, Variable("INGRESS_ADMIN_PORT", "Port of health checks and metrics (admin port)")] = 9080
    durability: Annotated[
        Literal["memory", "replica", "fsync"],
        Variable(
            "INGRESS_DURABILITY",
            "What a 2xx answer guarantees about an event in Redis. memory: the master has it. replica: a replica "
            "has it, too. fsync: it is on the master's disk",
        ),
    ] = "memory"
    write_budget_ms: Annotated[
        AtLeastOne,
        Variable(
            "INGRESS_WRITE_BUDGET_MS",
            "Milliseconds that Redis has to confirm an event. After that, the event goes to the spool",
        ),
    ] = 250
    dedupe_window_s: Annotated[
        AtLeastOne, Variable("INGRESS_DEDUPE_WINDOW_S", "Seconds during which duplicates of an event are recognized")
    ] = 3600
    max_in_flight: Annotated[
        AtLeastOne, Variable("INGRESS_MAX_IN_FLIGHT", "Largest number of concurrent requests. Above it, requests get a 503")
    ] = 1000
    max_body: Annotated[
        int,
        Meta(ge=1, le=1 << 24),
        Variable(
            "INGRESS_MAX_BODY",
            "Largest form in bytes. A larger one gets a 413. For other bodies, the limit is this value or 1 MiB, "
            "whichever is larger",
        ),
    ] = 1 << 18
    max_connections: Annotated[
        int,
        Meta(ge=10),
        Variable("INGRESS_MAX_CONNECTIONS", "Largest number of open connections. Above it, idle connections are closed"),
    ] = 20_000
    read_timeout_s: Annotated[
        Positive, Variable("INGRESS_READ_TIMEOUT_S", "Time limit in seconds for receiving a request, head and body")
    ] = 10
    read_memory_mb: Annotated[
        AtLeastOne,
        Variable(
            "INGRESS_READ_MEMORY_MB",
            "Memory in MiB for requests that have not arrived as a whole, on all connections. Above it, those that have taken "
            "most for longest get a 503",
        ),
    ] = 256
    keepalive_s: Annotated[
        Positive, Variable("INGRESS_KEEPALIVE_S", "Seconds that a connection may be idle between requests")
    ] = 75
    spool_path: Annotated[
        Path | None,
        Read(_optional_path),
        Variable(
            _SPOOL_PATH,
            "File of the spool, which stores events that Redis does not accept. Each ingress process needs its "
            "own file on a local disk. Empty: no spool, and a 503 instead",
        ),
    ] = Path("var/spool.db")
    spool_max_mb: Annotated[
        AtLeastOne,
        Variable("INGRESS_SPOOL_MAX_MB", "Largest size of the spool in MiB. When it is full, webhooks that need it get a 503"),
    ] = 512
    sender_rate: Annotated[
        NotNegative,
        Variable(
            "INGRESS_SENDER_RATE",
            "Rate limit of one sender in events per second. Events above it go to the topic bulk. 0: no limit",
        ),
    ] = 10
    sender_burst: Annotated[
        AtLeastOne,
        Variable("INGRESS_SENDER_BURST", "Events that one sender can send at once before INGRESS_SENDER_RATE applies"),
    ] = 100
    address_rate: Annotated[
        NotNegative,
        Variable(
            "INGRESS_ADDRESS_RATE",
            "Requests per second of one address with a missing or wrong signature. Above it, those without a "
            "signature get a 403 at once, and of the others only some are verified, until one is valid. 0: no limit",
        ),
    ] = 10
    address_burst: Annotated[
        AtLeastOne,
        Variable(
            "INGRESS_ADDRESS_BURST",
            "Requests with a missing or wrong signature that one address can send at once before INGRESS_ADDRESS_RATE applies",
        ),
    ] = 100
    live: LiveSettings
    shutdown_s: Annotated[
        NotNegative, Variable("INGRESS_SHUTDOWN_S", "Seconds that running requests get to finish at shutdown")
    ] = 10

    @classmethod
    def contradictions(cls, valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield that a route has a topic that does not exist, bodies do not fit into memory, or tokens have two sources."""
        if valid.get("tokens_path") and valid.get("tokens_provider"):
            yield "tokens_provider", f"{TOKENS_PATH} is set, too. Set one of them: the function can read a file"
        if "routes" in valid and "topics" in valid:
            try:
                check_topics(valid["routes"], valid["topics"])
            except ValueError as error:
                yield "routes", str(error)
        if "routes" in valid and "max_body" in valid and "read_memory_mb" in valid:
            largest = max(valid["max_body"], LARGEST_JSON, *(route.max_body or 0 for route in valid["routes"]))
            if valid["read_memory_mb"] << 20 < 2 * largest:
                yield "read_memory_mb", f"bodies may have {largest} bytes, and two of them must fit"

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must not be logged."""
        secrets = (*parse_secrets(self.auth_tokens), *parse_shared_keys(self.shared_keys).values())
        return (*super().secrets(), *(secret.value.decode() for secret in secrets))

    def redis_options(self) -> RedisOptions:
        """Return the options of the connections to Redis. Live routes read answers, in a cluster from each partition."""
        is_live = any(one.live for one in self.routes) or any(one.live for one in self.forwards)
        return self.redis.with_blocking(self.partitions) if is_live else self.redis

    def sender_limit(self) -> Rate:
        """Return the rate of one sender."""
        return Rate(self.sender_rate, self.sender_burst)

    def address_limit(self) -> Rate:
        """Return the rate of one address's requests that do not verify."""
        return Rate(self.address_rate, self.address_burst)
