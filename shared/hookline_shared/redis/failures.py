"""Translates the errors of the client library into ours, which say what to do."""

import re
from typing import Final

from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hookline_shared.errors import (
    BrokerUnavailableError,
    CommandRefusedError,
    FencedError,
    GroupMissingError,
    HooklineError,
    WritesRefusedError,
)

_NO_WRITES: Final = {
    "OOM": "Redis has no memory left: raise maxmemory, or let the processor settle its backlog.",
    "READONLY": "This server is a read-only replica: REDIS_URL must lead to the master, or to the Sentinels.",
    "MISCONF": "Redis cannot write to its disk, so it accepts no writes: see its log.",
    "NOREPLICAS": "Redis has fewer replicas than its min-replicas-to-write asks for.",
    "NOPERM": "The user in REDIS_URL may not do this: grant it with ACL SETUSER.",
}
"""The server answers, but does not accept our writes."""

_PASSING: Final = {
    "LOADING": "Redis is loading its data; this is temporary.",
    "MASTERDOWN": "This replica has lost its master; a failover should follow.",
    "BUSY": "Redis is busy with a script.",
    "CLUSTERDOWN": "The cluster does not serve all its slots; a failover should follow.",
    "TRYAGAIN": "The slot is being moved to another node; this is temporary.",
    "ASK": "The slot is being moved to another node; this is temporary.",
    "MOVED": "This server is a node of a cluster: REDIS_URL must begin with redis+cluster://.",
    "UNBLOCKED": "The server is no longer the master.",
    "NOAUTH": "Redis requires a password: add it to REDIS_URL.",
}
"""The command was refused because of the state of the server, not because of its content."""

_QUOTED: Final = re.compile(rf"(?:^|[-\s])({'|'.join([*_NO_WRITES, *_PASSING])})\b")
"""Before Redis 7, the error of a script quotes that of its command."""
_QUOTED_NOPERM: Final = "can't run this command"


def error_code(error: Exception) -> str:
    """Return the code at the beginning of a refusal, such as OOM; empty for other errors."""
    if not isinstance(error, ResponseError):
        return getattr(error, "status_code", None) or ""
    code = getattr(error, "status_code", None) or str(error).partition(" ")[0]
    if code in ("ERR", "Error") and (quoted := _QUOTED.search(str(error))):
        return quoted.group(1)
    return "NOPERM" if code == "ERR" and _QUOTED_NOPERM in str(error) else code


def is_redirect(error: Exception) -> bool:
    """Whether `error` means that another server is the master, and nothing was done: the command may be sent to that one."""
    return isinstance(error, ResponseError) and error_code(error) in ("MOVED", "READONLY")


def translate(error: Exception) -> HooklineError:
    """Return our error for one of the client library."""
    if isinstance(error, HooklineError):
        return error
    code = error_code(error)
    if not isinstance(error, ResponseError):
        return BrokerUnavailableError(_connection_message(error, code))
    if code == "NOGROUP":
        return GroupMissingError(f"Redis lost a consumer group: {error}")
    if code == "FENCED":
        return FencedError(str(error), code)
    message = f"Redis refused the command ({code}): {error}. {_NO_WRITES.get(code) or _PASSING.get(code, '')}".rstrip()
    if code in _NO_WRITES:
        return WritesRefusedError(message, code)
    return BrokerUnavailableError(message, code) if code in _PASSING else CommandRefusedError(message, code)


def _connection_message(error: Exception, code: str) -> str:
    """Return the message for an error after which the connection cannot be used."""
    if code in _PASSING:
        return f"Redis does not answer ({code}). {_PASSING[code]}"
    if isinstance(error, AuthenticationError):
        return f"Redis refused the user or password ({error}). Check the ones in REDIS_URL."
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return "Redis did not answer in time. Is it overloaded, stopped, or behind a firewall?"
    return f"Redis cannot be reached: {str(error).rstrip('.')}. Is it running, and is REDIS_URL right?"
