"""The cookies of conversations, kept in Redis. Without them, a conversation goes on as a new one."""

from collections.abc import Iterable
from hashlib import blake2b
from http.cookies import Morsel
from typing import Final

from hookline_processor.forward.cookies import LIFE_S, Cookie, changed, decode, encode, header_for
from hookline_processor.forward.request import AppRequest
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import Event
from hookline_shared.forwards import Forward
from hookline_shared.observability.logs import Logger
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager, Script, ScriptCall

_KEEP: Final = Script.of("""
-- Store the cookies of a conversation, unless another process has changed them since they were read: one that stood still, and
-- whose partition was taken over meanwhile, must not undo what the new owner has stored.
--
-- KEYS      [1] the cookies
-- ARGV      [1] what was read, empty if there was nothing
--           [2] what to store
--           [3] how long it is kept, in ms
-- Returns   1 if it is stored, else 0
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
""")


class Conversations:
    """Reads and writes the cookies of conversations, in `partitions` partitions."""

    def __init__(self, redis: RedisConnectionManager, partitions: int, clock: Clock, logger: Logger) -> None:
        self._redis = redis
        self._partitions = partitions
        self._clock = clock
        self._logger = logger

    async def cookies(self, forward: Forward, event: Event) -> "ConversationCookies":
        """Return the cookies of the conversation of `event` with the app of `forward`."""
        digest = blake2b(f"{forward.path}\0{event.account}\0{event.key}".encode(errors="replace"), digest_size=16).hexdigest()
        key = self._redis.keys.cookies(partition_of(event.key, self._partitions), digest)
        try:
            stored = await self._redis.execute("get", key, "GET", key)
        except BrokerUnavailableError as error:
            self._logger.debug("cookies cannot be read", error=str(error))
            stored = None
        return ConversationCookies(self, key, stored or b"", self._clock)

    async def write(self, key: str, before: bytes, cookies: list[Cookie]) -> None:
        """Store `cookies` in place of `before`. The event is answered already, so a failure only loses them."""
        call = ScriptCall([key], [before, encode(cookies), LIFE_S * 1000])
        try:
            (answer,) = await self._redis.run("cookies", _KEEP, [call])
        except BrokerUnavailableError as error:
            answer = error
        if answer != 1:
            why = str(answer) if isinstance(answer, Exception) else "another process has changed them meanwhile"
            self._logger.debug("cookies cannot be kept", error=why)


class ConversationCookies:
    """The cookies of one conversation during an attempt: `stored` is what Redis has of them."""

    def __init__(self, conversations: Conversations, key: str, stored: bytes, clock: Clock) -> None:
        self._conversations = conversations
        self._key = key
        self._stored = stored
        self._cookies = decode(stored)
        self._clock = clock
        self._changed = False

    def added_to(self, request: AppRequest) -> AppRequest:
        """Return `request` with the cookies for its URL."""
        header = header_for(self._cookies, request.url, self._now_s())
        return request._replace(headers=request.headers | {"Cookie": header}) if header else request

    def take(self, url: str, morsels: Iterable[Morsel[str]]) -> int:
        """Take what an answer from `url` sets; return the number of cookies that are not kept."""
        found = list(morsels)
        if not found:
            return 0
        self._changed = True
        self._cookies, dropped = changed(self._cookies, url, found, self._now_s())
        return dropped

    async def keep(self) -> None:
        """Store the cookies if they have changed."""
        if self._changed:
            await self._conversations.write(self._key, self._stored, self._cookies)

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000
