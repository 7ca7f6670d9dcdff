"""The addresses from which webhooks were accepted lately, shared by all ingress processes."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.manager import RedisConnectionManager, ScriptCall
from hookline_shared.streams.scripts import load_script

_SCRIPT: Final = load_script("genuine")
_TIMEOUT_S: Final = 1.0


class Noted(NamedTuple):
    """The digests that were noted lately, and the time of the server, which is the next call's `since`."""

    now_ms: int
    digests: list[str]


class SharedAddresses:
    """The addresses in Redis, at most `most`, each for `keep_s` seconds. Only their digests leave the process."""

    def __init__(self, redis: RedisConnectionManager, keep_s: float, most: int) -> None:
        self._redis = redis
        self._limits = [str(int(keep_s * 1000)), str(most)]

    async def exchange(self, since_ms: int, digests: Sequence[str]) -> Noted | BrokerUnavailableError:
        """Note `digests`; return those that any process has noted since `since_ms`, or the error of Redis."""
        call = ScriptCall([self._redis.keys.genuine], [*self._limits, str(since_ms), *digests])
        (answer,) = await self._redis.run("genuine", _SCRIPT, [call], _TIMEOUT_S)
        if isinstance(answer, BrokerUnavailableError):
            return answer
        now_ms, *noted = (part.decode() for part in answer)
        return Noted(int(now_ms), noted)
