"""The leases of partitions and the heartbeats of processors, as they are in Redis."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.manager import RedisConnectionManager, ScriptCall
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script

_LEASE: Final = load_script("lease")
_PROCESSORS: Final = load_script("processors")
_LEAVING: Final = -1


class Fence(NamedTuple):
    """The proof of ownership that a read or a settlement carries: the owner, and the term of its lease."""

    owner: str
    term: int


class LeaseRequest(StrEnum):
    """An operation on a lease; the values are the script's."""

    RENEW = "renew"
    ACQUIRE = "acquire"
    RELEASE = "release"
    READ = "read"


class Lease(NamedTuple):
    """A lease as it is in Redis. `left_ms` is the time until it expires in milliseconds, 0 if nobody holds it.

    `server_ms` is Unix time in milliseconds on the clock of the server that answered.
    """

    owner: str
    term: int
    left_ms: int
    server_ms: int = 0


class Leases:
    """The leases that `owner` acquires. A lease expires after `lease_s` seconds; `timeout_s` is the time limit of a call.

    `about` is what the owner publishes about itself (`hookline_shared.readers.published`), empty if that is nothing.
    """

    def __init__(self, redis: RedisConnectionManager, owner: str, lease_s: float, timeout_s: float, about: bytes = b"") -> None:
        self.owner = owner
        self._redis = redis
        self._lease_ms = round(lease_s * 1000)
        self._timeout_s = timeout_s
        self._about = about

    async def ask(self, requests: Mapping[int, tuple[LeaseRequest, int]]) -> dict[int, Lease | BrokerUnavailableError]:
        """Carry out the request of each partition.

        It comes with the term under which this owner holds the lease, 0 if it does not; to acquire it, with the highest term
        that is known, so that the new one is higher, whatever a failover lost.

        Return each lease as it is afterwards. An error in its place means that Redis did not answer; the outcome is not known.
        """
        calls = [
            ScriptCall([self._redis.keys.lease(partition)], [request, self.owner, term, self._lease_ms, GROUP])
            for partition, (request, term) in requests.items()
        ]
        answers = await self._redis.run("lease", _LEASE, calls, self._timeout_s) if calls else []
        return {partition: _lease(answer) for partition, answer in zip(requests, answers, strict=True)}

    async def heartbeat(self) -> list[str]:
        """Record the heartbeat of this owner; return all processors whose last heartbeat is no older than a lease is long.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        return await self._processors(self._lease_ms)

    async def leave(self) -> None:
        """Remove this owner from the processors: the others share its partitions as soon as it releases them.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        await self._processors(_LEAVING)

    async def _processors(self, expiry_ms: int) -> list[str]:
        keys = self._redis.keys
        call = ScriptCall([keys.processors, keys.about(self.owner)], [self.owner, expiry_ms, self._about])
        (names,) = raise_first_error(await self._redis.run("processors", _PROCESSORS, [call], self._timeout_s))
        return [name.decode() for name in names]


def _lease(answer: list[bytes | int] | BrokerUnavailableError) -> Lease | BrokerUnavailableError:
    if isinstance(answer, BrokerUnavailableError):
        return answer
    owner, term, left_ms, server_ms = answer
    return Lease(owner.decode() if isinstance(owner, bytes) else "", int(term), int(left_ms), int(server_ms))
