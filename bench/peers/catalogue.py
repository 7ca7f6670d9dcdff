"""The peers of the processor: how each is started, and how Redis tells that it has nothing left to do."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from redis import Redis

from bench.peers.environment import Environment, NodeEnvironment, OwnEnvironment, PythonEnvironment


class Peer(NamedTuple):
    """What can run jobs from Redis.

    `drained` is how many it works off in some three seconds, `package` the one whose version counts; `oldest` is the Redis
    version that it needs; `settings` are environment variables that make it fast,
    and `plain` is the worker as it comes, where that is another command than `work`.
    """

    name: str
    folder: str
    environment: Environment
    package: str
    fill: tuple[str, ...]
    work: tuple[str, ...]
    drained: int
    at_rest: Callable[["Redis"], bool]
    oldest: tuple[int, int] = (6, 2)
    settings: Mapping[str, str] = MappingProxyType({})
    plain: tuple[str, ...] = ()

    def filler(self) -> list[str]:
        """Return the command that enqueues jobs."""
        return self.environment.command(*self.fill)

    def worker(self) -> list[str]:
        """Return the command that runs them."""
        return self.environment.command(*self.work)


def _group_at_rest(stream: str) -> Callable[["Redis"], bool]:
    """Make a check that no entry of `stream` is pending."""

    def check(redis: "Redis") -> bool:
        groups: list[dict[str, Any]] = redis.execute_command("XINFO GROUPS", stream) if redis.exists(stream) else []
        return not any(group["pending"] for group in groups)

    return check


def _empty(*keys: str) -> Callable[["Redis"], bool]:
    """Make a check that none of `keys` exists: what Redis holds of a collection without members."""
    return lambda redis: not redis.exists(*keys)


def _no_acks(redis: "Redis") -> bool:
    """Check that dramatiq's workers hold no message."""
    return not any(True for _ in redis.scan_iter(match="dramatiq:__acks__*:default", count=1000)) and not redis.llen(
        "dramatiq:default"
    )


def _python(folder: str, program: str, *work: str) -> dict[str, Any]:
    return {
        "folder": folder,
        "environment": PythonEnvironment(folder),
        "fill": ("python", "-m", f"bench.peers.{folder}.fill"),
        "work": (program, *work),
    }


RAW: Final = Peer(
    name="raw loop",
    folder="raw",
    environment=OwnEnvironment(),
    package="redis",
    fill=("python", "-m", "bench.peers.raw.fill"),
    work=("python", "-m", "bench.peers.raw.worker"),
    drained=150_000,
    at_rest=_group_at_rest("jobs"),
)

PEERS: Final = (
    RAW,
    Peer(
        name="FastStream",
        package="faststream",
        drained=6_000,
        at_rest=_group_at_rest("jobs"),
        **_python("faststream", "faststream", "run", "bench.peers.faststream.app:app"),
    ),
    Peer(
        name="taskiq-redis",
        plain=("taskiq", "worker", "bench.peers.taskiq.tasks:broker"),
        package="taskiq-redis",
        drained=6_000,
        at_rest=_group_at_rest("taskiq"),
        **_python(
            "taskiq",
            "taskiq",
            *("worker", "bench.peers.taskiq.tasks:broker", "--workers", "1", "--max-async-tasks", "100"),
            *("--max-prefetch", "100", "--no-parse", "--log-level", "WARNING"),
        ),
    ),
    Peer(
        name="streaq",
        package="streaq",
        drained=6_000,
        at_rest=_group_at_rest("streaq:default:queues:stream:normal"),
        oldest=(7, 0),
        **_python("streaq", "streaq", "run", "bench.peers.streaq.tasks:worker"),
    ),
    Peer(
        name="arq",
        package="arq",
        drained=4_000,
        at_rest=_empty("arq:queue"),
        **_python("arq", "arq", "bench.peers.arq.tasks.WorkerSettings"),
    ),
    Peer(
        name="dramatiq",
        plain=("dramatiq", "bench.peers.dramatiq.tasks"),
        package="dramatiq",
        drained=20_000,
        at_rest=_no_acks,
        settings={"dramatiq_queue_prefetch": "1000"},
        **_python("dramatiq", "dramatiq", "bench.peers.dramatiq.tasks", "--processes", "1", "--threads", "8"),
    ),
    Peer(
        name="Celery",
        plain=("celery", "--app", "bench.peers.celery.tasks", "worker"),
        package="celery",
        drained=3_000,
        at_rest=_empty("celery", "unacked"),
        **_python(
            "celery",
            "celery",
            *(
                "--app",
                "bench.peers.celery.tasks",
                "--quiet",
                "worker",
                "--pool",
                "threads",
                "--concurrency",
                "8",
                "--loglevel",
                "WARNING",
            ),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
    ),
    Peer(
        name="BullMQ",
        folder="bullmq",
        environment=NodeEnvironment("bullmq"),
        package="bullmq",
        fill=("fill.js",),
        work=("worker.js",),
        drained=20_000,
        at_rest=_empty("bull:jobs:wait", "bull:jobs:active"),
    ),
)
"""All of them, the ceiling first."""
