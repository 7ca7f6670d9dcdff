"""The outbox as it is in Redis: the marks of messages, and the claims on SIDs. `docs/answering.md` has the states.

A mark is one of these texts; times are Unix time in milliseconds by the clock of Redis:

    queued
    sending <first> <last> <account>    when its first and its last request began
    sent <account> <SID>
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager, Script, ScriptCall
from hookline_shared.redis_keys import Keys
from hookline_shared.streams.ownership.lease import Fence
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script

QUEUED: Final = "queued"
SENT_LIFE_MS: Final = 7 * 86_400_000
"""How long it is known that a message was sent, and which SID is whose."""
_SENDING_LIFE_MS: Final = 400 * 86_400_000
"""A message whose outcome is unknown may be a dead letter for long, and is not simply sent when that is replayed."""
_SENDING_FIELDS: Final = 4
_SENT_FIELDS: Final = 3

_BEGIN: Final = load_script("outbox/begin")
_SETTLE_MARK: Final = load_script("outbox/settle_mark")
_CLAIM: Final = load_script("outbox/claim_sid")


class OutboxEntry(NamedTuple):
    """A message to be sent: its token, how long its mark lives in milliseconds, and its entry, names and values in turn.

    `scripts/settle.lua` writes all three. The token is the same whenever the same event sends its message with the same number.
    """

    token: str
    life_ms: int
    fields: Sequence[str]


class State(StrEnum):
    """The answer to `Marks.begin`; the values are the script's."""

    BEGUN = "begun"
    LEASE = "lease"
    SENDING = "sending"
    SENT = "sent"


class Mark(NamedTuple):
    """What the mark of a message says. `text` is the mark itself; what its state does not have is 0 or empty."""

    text: str
    first_ms: int = 0
    last_ms: int = 0
    account: str = ""
    sid: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the mark that `text` is."""
        words = text.split(" ")
        if words[0] == "sending" and len(words) == _SENDING_FIELDS:
            return cls(text, int(words[1]), int(words[2]), words[3])
        if words[0] == "sent" and len(words) == _SENT_FIELDS:
            return cls(text, account=words[1], sid=words[2])
        return cls(text)

    @property
    def is_sending(self) -> bool:
        """Whether a request has begun whose outcome is not on record."""
        return self.last_ms > 0


class Place(NamedTuple):
    """Where the mark of a message is: its partition, and the token of the message."""

    partition: int
    token: str


class Begun(NamedTuple):
    """The answer to `Marks.begin`, with the mark as it is now. `now_ms` is Unix time in milliseconds by the clock of Redis."""

    state: State
    mark: Mark
    now_ms: int


class Marks:
    """The marks of messages and the claims on SIDs, of `partitions` partitions."""

    def __init__(self, redis: RedisConnectionManager, partitions: int) -> None:
        self._redis = redis
        self._keys: Keys = redis.keys
        self._partitions = partitions

    async def begin(self, place: Place, fence: Fence, needed_s: float, account: str, replaced: str = "") -> Begun:
        """Begin to send a message for `account`, if the lease lasts `needed_s` seconds longer.

        `replaced` is the mark of a request whose outcome is given up.

        Raises:
            FencedError: if the partition has another owner now.
            BrokerUnavailableError: if Redis did not confirm. The mark may say `sending` all the same.

        """
        keys = [self._keys.lease(place.partition), self._keys.sent(place.partition, place.token)]
        arguments: list[str | bytes | int] = [*fence, round(needed_s * 1000), account, replaced, _SENDING_LIFE_MS]
        state, mark, now_ms = await self._run("outbox begin", _BEGIN, ScriptCall(keys, arguments), durable=True)
        return Begun(State(state.decode()), Mark.parse(mark.decode()), int(now_ms))

    async def requeue(self, place: Place, mark: Mark) -> bool:
        """Note that the request of `mark` has sent nothing. Return False if the mark is another one by now.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        return await self._settle(place, mark.text, QUEUED)

    async def give_up(self, place: Place, mark: Mark) -> bool:
        """Note that the message of `mark`, whose outcome stays unknown, is not tried any more. Return False if it changed.

        If somebody replays it, trying begins anew, with a look for the last request.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        return await self._settle(place, mark.text, f"sending {mark.last_ms} {mark.last_ms} {mark.account}", _SENDING_LIFE_MS)

    async def sent(self, place: Place, account: str, sid: str) -> bool:
        """Note that Twilio has the message as `sid`. Return False if that is on record.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        return await self._settle(place, "", f"sent {account} {sid}")

    async def read(self, place: Place) -> Mark:
        """Return the mark of a message.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        key = self._keys.sent(place.partition, place.token)
        found: bytes | None = await self._redis.execute("outbox read", key, "GET", key)
        return Mark.parse(found.decode(errors="replace") if found else QUEUED)

    async def claim(self, sid: str, token: str) -> bool:
        """Claim `sid` for the message with `token`. Return whether it is its now, or since an earlier call.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        key = self._keys.sid(partition_of(sid, self._partitions), sid)
        holder: bytes = await self._run("outbox claim", _CLAIM, ScriptCall([key], [token, SENT_LIFE_MS]))
        return holder == token.encode()

    async def _settle(self, place: Place, expected: str, mark: str, life_ms: int = SENT_LIFE_MS) -> bool:
        call = ScriptCall([self._keys.sent(place.partition, place.token)], [expected, mark, life_ms])
        return bool(await self._run("outbox mark", _SETTLE_MARK, call))

    async def _run(self, operation: str, script: Script, call: ScriptCall, *, durable: bool = False) -> Any:
        (answer,) = raise_first_error(await self._redis.run(operation, script, [call], durable=durable))
        return answer
