"""Two installations with two prefixes over one Redis, or one cluster: what befalls one of them, the other does not see."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from hookline_shared.redis_keys import DEFAULT_PREFIX
from tests.acceptance.support.pair import Backend, Pair, started_pair
from tests.support.deployment.permissions import documented_permissions
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio, Webhook
from tests.support.processes.command import Command, ended
from tests.support.processes.services import Services
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until

PARTITIONS = {DEFAULT_PREFIX: 8, f"{DEFAULT_PREFIX}-staging": 4}
"""Of each prefix. One begins like the other, and each has a layout of its own."""

PASSWORD = "s3cr3t"
SENDERS = [f"+1415555{number:04d}" for number in range(20)]


@dataclass
class Installation:
    """A pair, and `hookline` with its settings."""

    pair: Pair
    folder: Path
    url: str
    settings: Mapping[str, str]

    async def hookline(self, *words: str) -> Any:
        """Run `hookline` with `words` and --json; return its output."""

        def wait() -> Any:
            with Command(self.folder, self.url, self.settings).started(*words, "--json") as process:
                result = ended(process)
            assert result.out, result
            return result.json

        return await asyncio.to_thread(wait)

    async def status(self) -> Any:
        """Return what `hookline status` says, of this installation's services."""
        ports = (self.pair.ingress.admin_port, self.pair.processor.admin_port)
        admin = [word for port in ports for word in ("--admin", f"127.0.0.1:{port}")]
        return await self.hookline("status", "--interval", "0.1", *admin)

    async def deliver(self, *bodies: str) -> None:
        """Deliver a message of each of `bodies`, each of another sender, so that all partitions have some."""
        for number, body in enumerate(bodies):
            await self.pair.deliver(Twilio().webhook(message(Body=body, From=SENDERS[number % len(SENDERS)])))

    async def handled(self, *bodies: str) -> None:
        """Wait until exactly `bodies` were handled, and nothing is left."""
        await until(lambda: self.bodies() == sorted(bodies) and self.pair.settled(), f"{sorted(bodies)} are handled")

    def repair(self) -> None:
        """Make the handlers succeed from now on, until `break_again`."""
        self._gate.touch()

    def break_again(self) -> None:
        """Make the handlers fail again."""
        self._gate.unlink()

    @property
    def _gate(self) -> Path:
        return self.pair.record.with_name(f"{self.pair.record.name}.open")

    def bodies(self) -> list[str]:
        """Return the bodies that were handled so far."""
        return sorted(line["body"] for line in self.pair.lines())


@pytest.fixture(params=["own_redis", "cluster_set"], ids=["standalone", "cluster"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return one Redis server, and one cluster."""
    found: Backend = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def users(backend: Backend) -> Iterator[None]:
    """Make a user of each prefix that may touch no key of another: Redis itself refuses what should not happen."""
    servers = backend.servers if isinstance(backend, ClusterSet) else [backend]
    for server in servers:
        assert isinstance(server, RedisServer)
        with server.client as client:
            for prefix in PARTITIONS:
                words = [*documented_permissions(prefix), "+cluster|slots"]
                client.execute_command("ACL", "SETUSER", prefix, "reset", "on", f">{PASSWORD}", *words)
    yield
    for server in servers:
        assert isinstance(server, RedisServer)
        with server.client as client:
            client.execute_command("ACL", "DELUSER", *PARTITIONS)


@pytest.fixture
async def installations(
    backend: Backend, users: None, services: Services, tmp_path: Path
) -> AsyncIterator[tuple[Installation, Installation]]:
    """Yield the two, started."""
    async with AsyncExitStack() as stack:
        made = []
        for prefix, partitions in PARTITIONS.items():
            folder = tmp_path / prefix
            folder.mkdir()
            settings = {
                "HOOKLINE_PREFIX": prefix,
                "HOOKLINE_PARTITIONS": str(partitions),
                "INGRESS_SPOOL_PATH": str(folder / "spool.db"),
                "HOOKLINE_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
            }
            url = backend.url.replace("://", f"://{prefix}:{PASSWORD}@", 1)
            pair = await stack.enter_async_context(started_pair(backend, services, folder, url=url, settings=settings))
            made.append(Installation(pair, folder, url, settings))
        yield made[0], made[1]


async def test_neither_sees_the_other(installations: tuple[Installation, Installation]) -> None:
    """A duplicate, a retry, dead letters, a replay, a killed processor and a killed ingress of one stay its own."""
    one, other = installations
    await same_webhook_is_an_event_of_each(one, other)
    await dead_letters_and_retries_stay(one, other)
    await killed_processor_is_no_ones_else(one, other)
    await killed_ingress_is_no_ones_else(one, other)
    assert_keys_are_apart(one.pair.redis)
    for installation in installations:
        for service in (installation.pair.ingress, installation.pair.processor):
            assert "NOPERM" not in service.errors


async def same_webhook_is_an_event_of_each(one: Installation, other: Installation) -> None:
    """What one has seen is no duplicate for the other."""
    webhook: Webhook = Twilio().webhook(message(Body="same"))
    for installation in (one, other, one, other):
        await installation.pair.deliver(webhook)
    await asyncio.gather(one.handled("same"), other.handled("same"))


async def dead_letters_and_retries_stay(one: Installation, other: Installation) -> None:
    """Those of one are listed, counted and replayed there, and the other has none."""
    await one.deliver("fail-twice", *["broken"] * 10)
    await until(lambda: len(one.pair.dead_letters()) == 10 and one.pair.settled(), "one has its dead letters")
    assert (await one.hookline("dead", "list"))["total"] == 10
    assert (await other.hookline("dead", "list"))["total"] == 0
    assert await dead_and_owners(one) == (10, {one.pair.processor.pid}, 8)
    assert await dead_and_owners(other) == (0, {other.pair.processor.pid}, 4)
    for installation in (other, one):
        installation.repair()
    assert (await other.hookline("dead", "replay", "--all", "--yes"))["replayed"] == 0
    assert len(one.pair.dead_letters()) == 10
    assert (await one.hookline("dead", "replay", "--all", "--yes"))["replayed"] == 10
    await one.handled("same", "fail-twice", *["broken"] * 10)
    assert other.bodies() == ["same"]
    for installation in (other, one):
        installation.break_again()


async def killed_processor_is_no_ones_else(one: Installation, other: Installation) -> None:
    """While one has no processor, its events wait and the other's are handled; nobody takes over what is not its own."""
    before = one.bodies()
    await one.deliver(*["gate"] * 10)
    await until(lambda: len([line for line in one.pair.lines("begin") if line["body"] == "gate"]) == 10, "all have begun")
    await one.pair.processor.kill()
    await other.deliver(*["hello"] * 10)
    await other.handled("same", *["hello"] * 10)
    await until(lambda: lease_has_run_out(one), "the lease of who was killed has run out")
    assert await dead_and_owners(other) == (0, {other.pair.processor.pid}, 4)
    assert one.bodies() == before
    one.repair()
    await one.pair.processor.start()
    await one.handled(*before, *["gate"] * 10)
    assert other.bodies() == sorted(["same", *["hello"] * 10])


async def killed_ingress_is_no_ones_else(one: Installation, other: Installation) -> None:
    """The other's answers meanwhile; and started again, it goes on."""
    before, others = one.bodies(), other.bodies()
    await one.pair.ingress.kill()
    await other.deliver("still here")
    await other.handled(*others, "still here")
    await one.pair.ingress.start()
    await one.deliver("again")
    await one.handled(*before, "again")


async def dead_and_owners(installation: Installation) -> tuple[int, set[int], int]:
    """Return how many dead letters, which processes as owners, and how many partitions `hookline status` sees."""
    found = await installation.status()
    dead = sum(topic["dead"] for topic in found["topics"].values())
    pids = {int(one["name"].split(":")[-2]) for one in found["processors"]}
    return dead, pids, len(found["partitions"])


def lease_has_run_out(installation: Installation) -> bool:
    """Whether no partition has an owner."""
    keys, client = installation.pair.keys, installation.pair.redis
    leases = [client.execute_command("HMGET", keys.lease(at), "owner", "term") for at in range(PARTITIONS[keys.prefix])]
    tokens = [keys.token(at, owner.decode(), int(term)) for at, (owner, term) in enumerate(leases)]
    return not any(client.exists(token) for token in tokens)


def assert_keys_are_apart(client: "redis.Redis") -> None:
    """Every key is of one of the two, and each has some of every kind."""
    keys = [key.decode() for key in client.scan_iter(count=1000)]
    prefixes = {key.partition(":")[0] for key in keys}
    assert prefixes == PARTITIONS.keys()
    for prefix, partitions in PARTITIONS.items():
        assert {f"{prefix}:layout", f"{prefix}:processors"} < set(keys)
        assert {key.partition("{")[2].partition("}")[0] for key in keys if key.startswith(f"{prefix}:{{")} == set(
            map(str, range(partitions))
        )
