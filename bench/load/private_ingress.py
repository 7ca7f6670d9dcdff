"""An ingress of the benchmark's own, with a Redis of its own, that accepts the benchmark's signatures."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from bench.load.webhooks import PUBLIC_URL, TOKEN
from bench.system.private_redis import PrivateRedis, private_redis
from bench.system.probes import is_ready
from bench.system.processes import Child, free_port, module, running

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class PrivateIngress(NamedTuple):
    """The process, the port that Twilio calls, its Redis and its log."""

    child: Child
    port: int
    redis: PrivateRedis
    log: Path


def ingress_settings(redis_url: str, port: int, admin_port: int, spool: Path) -> dict[str, str]:
    """Return the environment variables of an ingress that accepts the benchmark's signatures."""
    return {
        "REDIS_URL": redis_url,
        "PUBLIC_URL": PUBLIC_URL,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "INGRESS_HOST": "127.0.0.1",
        "INGRESS_PORT": str(port),
        "INGRESS_ADMIN_PORT": str(admin_port),
        "INGRESS_SPOOL_PATH": str(spool),
        "LOG_LEVEL": "error",
    }


@contextmanager
def private_ingress(directory: Path, settings: Mapping[str, str] = _NOTHING) -> Iterator[PrivateIngress]:
    """Yield one that is ready, with its files in `directory`; `settings` are further environment variables."""
    port, admin_port = free_port(), free_port()
    with private_redis(directory, None) as redis:
        variables = ingress_settings(redis.url, port, admin_port, directory / "spool.db") | dict(settings)
        with running("ingress", module("hookline_ingress"), directory, None, variables) as child:
            child.wait_until(partial(is_ready, admin_port))
            yield PrivateIngress(child, port, redis, directory / "ingress.log")
