"""Creates connections to one server: TCP with keepalive, TLS, or a Unix socket, with or without a user."""

from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.url import Address


def connector(address: Address, options: RedisOptions, *, sentinel: bool = False) -> Callable[[], AbstractConnection]:
    """Return a factory of connections to `address`, which are not connected yet. `sentinel` is true for a Sentinel."""
    url = options.server
    arguments: dict[str, Any] = {
        "db": 0 if sentinel else url.database,
        "username": url.sentinel_username if sentinel else url.username,
        "password": url.sentinel_password if sentinel else url.password,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,  # every exchange has its own
        "socket_connect_timeout": options.connect_timeout_s,
        "client_name": "hookline",
    }
    if not address.port:
        return lambda: UnixDomainSocketConnection(path=address.host, **arguments)
    arguments |= {"host": address.host, "port": address.port, "socket_keepalive": True}
    if not url.tls:
        return lambda: Connection(**arguments)
    arguments |= url.tls_options
    arguments["ssl_check_hostname"] = url.tls_options.get("ssl_check_hostname", "true").lower() == "true"
    return lambda: SSLConnection(**arguments)
