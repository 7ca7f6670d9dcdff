"""The memory of conversations as it is in Redis: one document for each account and ordering key.

A document is one string, its version and its JSON:

    <id of the event that wrote it>\\n<JSON object>

`scripts/settle.lua` writes it in the step that settles this event, and only if its version is the one that the attempt read.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final, NamedTuple

from hookline_shared.event import Event
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager

MEMORY_LIFE_MS: Final = 30 * 86_400_000
"""How long a document is kept after it was last written."""
_DIGEST_BYTES: Final = 16


class StoredMemory(NamedTuple):
    """A document as it was read: its version, empty if there is none, and its JSON."""

    version: str = ""
    text: str = ""


NO_MEMORY: Final = StoredMemory()


class MemoryWrite(NamedTuple):
    """What `scripts/settle.lua` does with a document. It must have the version `expected`, or the event itself has written it.

    `own` is the new version, and `text` the new JSON, which lives for `life_ms` milliseconds; empty if it stays as it is.
    """

    digest: str
    expected: str
    own: str
    text: str
    life_ms: int


def memory_digest(account: str, key: str) -> str:
    """Return what names the document of an account and ordering key, without telling either."""
    digest = blake2b(f"{account}\0{key}".encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


class Memories:
    """Reads the documents of all conversations, in `partitions` partitions."""

    def __init__(self, redis: RedisConnectionManager, partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions

    async def load(self, event: Event) -> StoredMemory:
        """Return the document of the conversation of `event`.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        digest = memory_digest(event.account, event.key)
        key = self._redis.keys.memory(partition_of(event.key, self._partitions), digest)
        found: bytes | None = await self._redis.execute("memory", key, "GET", key)
        if found is None:
            return NO_MEMORY
        version, _, text = found.decode().partition("\n")
        return StoredMemory(version, text)
