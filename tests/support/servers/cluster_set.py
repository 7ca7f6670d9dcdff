"""A Redis Cluster of three masters with a replica each: all real servers, which can be killed and come back."""

import contextlib
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

import redis
from redis.crc import key_slot

from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.running import RunningServer
from tests.support.waiting import until_now

MASTERS: Final = 3
_SLOTS: Final = 16384
_DATA: Final = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": "1000",
    "cluster-replica-validity-factor": "0",
    "cluster-require-full-coverage": "no",
    "appendonly": "yes",
    "appendfsync": "always",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
    "repl-timeout": "5",
}


class Member(NamedTuple):
    """A line of CLUSTER NODES."""

    id: str
    port: int
    flags: frozenset[str]
    master_id: str
    linked: bool
    slots: tuple[str, ...]


class ClusterSet(RunningServer):
    """As a context manager it starts, which takes some seconds, and closes."""

    def __init__(self) -> None:
        self.servers: list[RedisServer] = []

    @property
    def url(self) -> str:
        """The REDIS_URL that names three of the nodes."""
        return "redis+cluster://" + ",".join(f"{LOOPBACK}:{server.port}" for server in self.servers[:MASTERS])

    @property
    def client(self) -> "redis.RedisCluster":
        """A blocking client of the cluster, for assertions. Close it after use."""
        port = next(server.port for server in self.servers if server.running)
        return redis.RedisCluster(LOOPBACK, port, protocol=2)

    def start(self) -> Self:
        """Start, and wait until the cluster is complete."""
        self.servers = [RedisServer(_DATA).start() for _ in range(2 * MASTERS)]
        self._introduce()
        until_now(lambda: all(len(members) == 2 * MASTERS for members in self._views()), "the nodes know each other")
        ids = {member.port: member.id for member in self._members(self.servers[0])}
        for master, replica in zip(self.servers[:MASTERS], self.servers[MASTERS:], strict=True):
            self._command(replica, "CLUSTER REPLICATE", ids[master.port])
        until_now(self.healthy, "the cluster is complete")
        return self

    def healthy(self) -> bool:
        """Whether all nodes agree that each of three masters has slots and a replica, and every replica is in step."""
        well = all(map(_complete, self._views())) and all(map(self._serves, self.servers))
        return well and sum(map(self._replicas_in_step, self.masters())) == MASTERS

    def masters(self) -> list[RedisServer]:
        """Return the servers that have slots, as a node that runs sees it."""
        return [self._server(member) for member in self._view() if "master" in member.flags and member.slots]

    def master_of(self, key: str) -> RedisServer:
        """Return the server that has `key` now."""
        slot = key_slot(key.encode())
        return next(self._server(member) for member in self._view() if "fail" not in member.flags and _has(member, slot))

    def revive(self, server: RedisServer) -> None:
        """Start a server that was killed again. It finds out by itself that it is a replica now."""
        server.start()

    def wait_new_master(self, key: str, old: RedisServer) -> RedisServer:
        """Wait until another server than `old` has `key`, according to all nodes; return it."""
        slot = key_slot(key.encode())

        def replaced() -> bool:
            owners = [member.port for members in self._views(strict=False) for member in members if _has(member, slot)]
            return old.port not in owners and len(set(owners)) == 1

        until_now(replaced, "another node has the slot")
        return self.master_of(key)

    def fail_over(self, key: str) -> None:
        """Have the replica of the server that has `key` take over while that lives, and wait until it has."""
        old = self.master_of(key)
        masters = {member.port: member.id for member in self._view()}
        replica = next(member for member in self._view() if member.master_id == masters[old.port])
        self._command(self._server(replica), "CLUSTER FAILOVER")
        self.wait_new_master(key, old)

    def reset(self) -> Self:
        """Restore all servers and links, and delete the data."""
        for server in self.servers:
            server.resume()
            if not server.running:
                server.start()
        until_now(self.healthy, "all are well again")
        for master in self.masters():
            self._command(master, "FLUSHALL")
        return self

    def close(self) -> None:
        """Stop all servers and remove their folders."""
        for server in self.servers:
            server.close()

    def _introduce(self) -> None:
        for epoch, server in enumerate(self.servers, start=1):
            self._command(server, "CLUSTER SET-CONFIG-EPOCH", epoch)
        for number, server in enumerate(self.servers[:MASTERS]):
            first, last = (_SLOTS * bound // MASTERS for bound in (number, number + 1))
            self._command(server, "CLUSTER ADDSLOTS", *range(first, last))
        for server in self.servers[1:]:
            self._command(self.servers[0], "CLUSTER MEET", LOOPBACK, server.port)

    def _views(self, *, strict: bool = True) -> Iterator[list[Member]]:
        """Yield what each server knows of the cluster; of those that do not run nothing, or if not `strict`, leave them out."""
        for server in self.servers:
            if strict or server.running:
                yield self._members(server)

    def _view(self) -> list[Member]:
        return self._members(next(server for server in self.servers if server.running))

    def _members(self, server: RedisServer) -> list[Member]:
        with server.client as client, contextlib.suppress(redis.RedisError):
            return [_member(line) for line in client.execute_command("EVAL", _NODES, 0).decode().splitlines()]
        return []

    def _serves(self, server: RedisServer) -> bool:
        with server.client as client, contextlib.suppress(redis.RedisError):
            return str(client.execute_command("CLUSTER INFO")["cluster_state"]) == "ok"
        return False

    def _replicas_in_step(self, master: RedisServer) -> int:
        with master.client as client:
            facts = client.info("replication")
        return sum(isinstance(fact, dict) and fact.get("state") == "online" for fact in facts.values())

    def _server(self, member: Member) -> RedisServer:
        return next(server for server in self.servers if server.port == member.port)

    def _command(self, server: RedisServer, *words: str | int) -> None:
        with server.client as client:
            client.execute_command(*words)


_NODES: Final = "return redis.call('CLUSTER', 'NODES')"
"""In a script, since the client would make dicts of the answer."""


def _member(line: str) -> Member:
    node_id, address, flags, master_id, _, _, _, link, *slots = line.split()
    port = int(address.partition("@")[0].rpartition(":")[2])
    return Member(node_id, port, frozenset(flags.split(",")), master_id, link == "connected", tuple(slots))


def _complete(members: list[Member]) -> bool:
    masters = [member for member in members if "master" in member.flags and member.slots]
    followed = {member.master_id for member in members if "slave" in member.flags and member.linked}
    well = all(not member.flags & {"fail", "fail?", "handshake", "noaddr"} for member in members)
    return well and len(masters) == MASTERS and followed == {member.id for member in masters}


def _has(member: Member, slot: int) -> bool:
    ranges = [text.partition("-")[::2] for text in member.slots if text[0] != "["]
    return any(int(first) <= slot <= int(last or first) for first, last in ranges)
