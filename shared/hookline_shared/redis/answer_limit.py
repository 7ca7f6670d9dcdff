"""A limit of the bytes that one exchange may receive, so that a surprise cannot take the memory of the process.

All readers of entries ask for as much as they expect to be small. If the entries are larger than any seen before, the answer is
not read to its end: its connection is closed, and the reader asks for less.
"""

from typing import Final

from redis._parsers import _AsyncHiredisParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from hookline_shared.errors import BrokerUnavailableError

MOST_BYTES: Final = 64 << 20
"""More than any single entry has, whose body is of 16 MiB at most."""


class AnswerTooLargeError(BrokerUnavailableError):
    """Redis works, but the answer is larger than a client reads."""

    def __init__(self) -> None:
        super().__init__(
            f"The answer of Redis has more than {MOST_BYTES >> 20} MiB, so it was not read to its end. "
            "It is asked for in smaller parts, if it has any."
        )


class BoundedParser(_AsyncHiredisParser):
    """The parser of redis-py, with a count of the bytes received since the last `start_exchange`."""

    __slots__ = ("received",)

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size=socket_read_size)
        self.received = 0

    async def read_from_socket(self) -> bool:
        """Read some bytes. This replaces the method of redis-py, which does not tell how many."""
        received = await self._stream.read(self._read_size) if self._stream else b""
        if not received:
            raise RedisConnectionError("Connection closed by server.")
        self.received += len(received)
        if self.received > MOST_BYTES:
            raise AnswerTooLargeError
        self._reader.feed(received)  # type: ignore[attr-defined]
        return True


def start_exchange(connection: AbstractConnection) -> None:
    """Begin to count the bytes that `connection` receives."""
    connection._parser.received = 0  # type: ignore[attr-defined]
