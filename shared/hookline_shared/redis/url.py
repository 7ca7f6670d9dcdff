"""Parses REDIS_URL. Pure.

    redis://[user:password@]host[:port][/db]                          one server
    unix://[user:password@]/path/to/socket[?db=0]                     one server on this machine
    redis+sentinel://[user:password@]host[:port],host[:port]/service[/db]
    redis+cluster://[user:password@]host[:port],host[:port]

`rediss` in place of `redis` means TLS. User and password are those of the data servers; those of the Sentinels, if different,
are the options `sentinel_username` and `sentinel_password`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit


class Topology(Enum):
    """The topology of the Redis servers; the values are the endings of the scheme."""

    STANDALONE = ""
    SENTINEL = "+sentinel"
    CLUSTER = "+cluster"


class Address(NamedTuple):
    """The address of a server. For a Unix socket, `port` is 0 and `host` the path."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True)
class RedisUrl:
    """A parsed REDIS_URL. `addresses` are those of the server, of the Sentinels, or of some nodes of the cluster."""

    topology: Topology
    addresses: tuple[Address, ...]
    database: int = 0
    service: str = ""
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    tls_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must not be logged."""
        return tuple(filter(None, (self.password, self.sentinel_password)))


_SCHEMES: Final = ("redis://", "rediss://", "unix://", "redis+sentinel://", "redis+cluster://")
_TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"})
_OPTIONS: Final = _TLS_OPTIONS | {"db", "username", "password", "sentinel_username", "sentinel_password"}
_REDIS_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379


def parse_redis_url(url: str) -> RedisUrl:
    """Parse `url`.

    Raises:
        ValueError: saying what is wrong. It does not quote the URL, which may contain a password.

    """
    parts = _split(url)
    topology, tls = _kind(parts.scheme)
    options = _options(parts)
    service, database = _path(topology, parts)
    return RedisUrl(
        topology=topology,
        addresses=_addresses(topology, parts),
        database=_database(topology, options.get("db", database)),
        service=service,
        tls=tls,
        username=options.get("username", unquote(parts.username or "")) or None,
        password=options.get("password", unquote(parts.password or "")) or None,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        tls_options={name: value for name, value in options.items() if name in _TLS_OPTIONS},
    )


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("it is not a URL") from None


def _kind(scheme: str) -> tuple[Topology, bool]:
    name, plus, ending = scheme.partition("+")
    known = {topology.value: topology for topology in Topology}
    if scheme == "unix":
        return Topology.STANDALONE, False
    if name not in ("redis", "rediss") or plus + ending not in known:
        raise ValueError(f"it must begin with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}")
    return known[plus + ending], name == "rediss"


def _options(parts: SplitResult) -> dict[str, str]:
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := options.keys() - _OPTIONS:
        raise ValueError(f"it has options that are not known: {', '.join(sorted(unknown))}")
    if options.get("ssl_cert_reqs", "none") not in ("none", "optional", "required"):
        raise ValueError("ssl_cert_reqs is not none, optional or required")
    return options


def _addresses(topology: Topology, parts: SplitResult) -> tuple[Address, ...]:
    if parts.scheme == "unix":
        return (Address(unquote(parts.path), 0),)
    default_port = _SENTINEL_PORT if topology is Topology.SENTINEL else _REDIS_PORT
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if len(hosts) > 1 and topology is Topology.STANDALONE:
        raise ValueError("it names several servers; begin it with redis+sentinel:// or redis+cluster://")
    return tuple(_address(host, default_port) for host in hosts)


def _address(host: str, default_port: int) -> Address:
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        raise ValueError("it is not a URL, or its port is not a number up to 65535") from None
    if port == 0 or host.endswith(":"):
        raise ValueError("its port is missing or 0")
    if not parts.hostname and host:
        raise ValueError("it has a port without a host")
    return Address(parts.hostname or "localhost", port or default_port)


def _path(topology: Topology, parts: SplitResult) -> tuple[str, str]:
    """Return the Sentinel service and the database in the path."""
    if parts.scheme == "unix":
        return "", ""
    path = unquote(parts.path).strip("/")
    if topology is not Topology.SENTINEL:
        return "", path
    service, _, database = path.partition("/")
    if not service:
        raise ValueError("it lacks the name of the service that the Sentinels watch: redis+sentinel://host:port/service")
    return service, database


def _database(topology: Topology, text: str) -> int:
    if text and not text.isdecimal():
        raise ValueError("its database is not a number")
    database = int(text or 0)
    if database and topology is Topology.CLUSTER:
        raise ValueError("a cluster has no database but 0")
    return database
