"""Who owns which partition, as Redis knows it: leases, and the processors that are there."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.keys import GROUP
from hookline_shared.redis.manager import RedisConnectionManager, ScriptCall
from hookline_shared.streams.replies import raise_first_error
from hookline_shared.streams.scripts import load_script

_LEASE: Final = load_script("lease")
_PROCESSORS: Final = load_script("processors")
_LEAVING: Final = -1


class Fence(NamedTuple):
    """What an owner shows when it reads or settles: its name, and the term under which it holds the partition."""

    owner: str
    term: int


class LeaseRequest(StrEnum):
    """What is asked of a lease; the values are the script's."""

    KEEP = "keep"
    TAKE = "take"
    GIVE = "give"
    LOOK = "look"


class Lease(NamedTuple):
    """A lease as Redis has it. `left_ms` is how many milliseconds it still runs, 0 if nobody holds it."""

    owner: str
    term: int
    left_ms: int


class Leases:
    """Asks for leases in the name of `owner`. They run for `lease_s` seconds; `timeout_s` is what a question may take."""

    def __init__(self, redis: RedisConnectionManager, owner: str, lease_s: float, timeout_s: float) -> None:
        self.owner = owner
        self._redis = redis
        self._lease_ms = round(lease_s * 1000)
        self._timeout_s = timeout_s

    async def ask(self, wants: Mapping[int, tuple[LeaseRequest, int]]) -> dict[int, Lease | BrokerUnavailableError]:
        """Ask for each partition what its want says, with the term under which it is held, 0 if it is not.

        Return each lease as it is then. An error in its place means that Redis did not answer: the outcome is not known.
        """
        calls = [
            ScriptCall([self._redis.keys.lease(partition)], [want, self.owner, term, self._lease_ms, GROUP])
            for partition, (want, term) in wants.items()
        ]
        answers = await self._redis.run("lease", _LEASE, calls, self._timeout_s) if calls else []
        return {partition: _lease(answer) for partition, answer in zip(wants, answers, strict=True)}

    async def meet(self) -> list[str]:
        """Say that this owner is there, and give all that are. Who was not heard of for the length of a lease is gone.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        return await self._processors(self._lease_ms)

    async def leave(self) -> None:
        """Say that this owner is leaving: the others share its partitions as soon as it gives them back.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        await self._processors(_LEAVING)

    async def _processors(self, patience_ms: int) -> list[str]:
        call = ScriptCall([self._redis.keys.processors], [self.owner, patience_ms])
        (names,) = raise_first_error(await self._redis.run("processors", _PROCESSORS, [call], self._timeout_s))
        return [name.decode() for name in names]


def _lease(answer: list[bytes | int] | BrokerUnavailableError) -> Lease | BrokerUnavailableError:
    if isinstance(answer, BrokerUnavailableError):
        return answer
    owner, term, left_ms = answer
    return Lease(owner.decode() if isinstance(owner, bytes) else "", int(term), int(left_ms))
