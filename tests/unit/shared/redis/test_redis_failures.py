"""What each of Redis' refusals means, in the words of whichever version."""

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hookline_shared.errors import (
    BrokerUnavailableError,
    CommandRefusedError,
    GroupMissingError,
    HooklineError,
    WritesRefusedError,
)
from hookline_shared.redis.failures import error_code, is_redirect, translate

SCRIPT = "ERR Error running script (call to f_a): @user_script:31: @user_script: 31: "


def answered(text: str) -> Exception:
    """Return the error that the client makes of a refusal."""
    error: Exception = BaseParser.parse_error(text)
    return error


@pytest.mark.parametrize(
    ("text", "code", "kind", "words"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM", WritesRefusedError, "raise maxmemory"),
        (f"{SCRIPT}-OOM command not allowed when used memory > 'maxmemory'.", "OOM", WritesRefusedError, "raise maxmemory"),
        ("READONLY You can't write against a read only replica.", "READONLY", WritesRefusedError, "read-only replica"),
        (f"{SCRIPT}-READONLY You can't write against a read only replica.", "READONLY", WritesRefusedError, "replica"),
        (f"{SCRIPT}-NOREPLICAS Not enough good replicas to write.", "NOREPLICAS", WritesRefusedError, "min-replicas-to-write"),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF", WritesRefusedError, "disk"),
        ("NOPERM this user has no permissions", "NOPERM", WritesRefusedError, "ACL SETUSER"),
        ("LOADING Redis is loading the dataset in memory", "LOADING", BrokerUnavailableError, "loading its data"),
        ("MASTERDOWN Link with MASTER is down", "MASTERDOWN", BrokerUnavailableError, "lost its master"),
        ("CLUSTERDOWN Hash slot not served", "CLUSTERDOWN", BrokerUnavailableError, "failover"),
        ("TRYAGAIN Multiple keys request during rehashing", "TRYAGAIN", BrokerUnavailableError, "being moved"),
        ("ASK 3999 127.0.0.1:6381", "ASK", BrokerUnavailableError, "being moved"),
        ("MOVED 3999 127.0.0.1:6381", "MOVED", BrokerUnavailableError, "redis+cluster://"),
        ("UNBLOCKED force unblock from blocking operation", "UNBLOCKED", BrokerUnavailableError, "no longer the master"),
        ("BUSY Redis is busy running a script.", "BUSY", BrokerUnavailableError, "script"),
        ("NOAUTH Authentication required.", "NOAUTH", BrokerUnavailableError, "password"),
        ("WRONGPASS invalid username-password pair", "WRONGPASS", BrokerUnavailableError, "user or password"),
        ("NOGROUP No such key 'x' or consumer group", "NOGROUP", GroupMissingError, "consumer group"),
        ("BUSYGROUP Consumer Group name already exists", "BUSYGROUP", CommandRefusedError, "BUSYGROUP"),
        ("WRONGTYPE Operation against a key", "WRONGTYPE", CommandRefusedError, "WRONGTYPE"),
        ("NOSCRIPT No matching script.", "NOSCRIPT", CommandRefusedError, "NOSCRIPT"),
        ("ERR value is not an integer", "ERR", CommandRefusedError, "not an integer"),
    ],
)
def test_refusals(text: str, code: str, kind: type[HooklineError], words: str) -> None:
    """Each is of the class that decides what is done about it, and says what people can do."""
    error = answered(text)
    translated = translate(error)
    assert error_code(error) == code
    assert type(translated) is kind
    assert words in str(translated)


def test_script_that_the_user_may_not_run() -> None:
    """Before Redis 7 a script says in words of its own that the user lacks a right: that is no matter of data."""
    text = "ERR Error running script (call to f_a): @user_script:31: The user executing the script can't run this command"
    assert type(translate(answered(text))) is WritesRefusedError
    assert "NOPERM" in str(translate(answered(text)))


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ("MOVED 3999 127.0.0.1:6381", True),
        ("READONLY You can't write against a read only replica.", True),
        (f"{SCRIPT}-READONLY You can't write against a read only replica.", True),
        ("OOM command not allowed", False),
        ("LOADING Redis is loading the dataset in memory", False),
        ("ASK 3999 127.0.0.1:6381", False),
    ],
)
def test_who_is_not_in_charge(text: str, elsewhere: bool) -> None:
    """Only what certainly did nothing may be sent to another server."""
    assert is_redirect(answered(text)) is elsewhere


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RedisConnectionError("Error 111 connecting to h:1."), "cannot be reached"),
        (RedisTimeoutError("Timeout connecting to server"), "did not answer in time"),
        (TimeoutError(), "did not answer in time"),
        (OSError(104, "reset"), "cannot be reached"),
    ],
)
def test_silence(error: Exception, words: str) -> None:
    """Where no answer came, nobody knows whether it was done."""
    translated = translate(error)
    assert type(translated) is BrokerUnavailableError
    assert words in str(translated)


def test_our_own_errors_stay_as_they_are() -> None:
    """They have been explained already."""
    error = BrokerUnavailableError("as it is")
    assert translate(error) is error
