"""Every Redis key, spelled once.

The partition is the hash tag, so that all keys of one partition lie in one cluster slot and one script can touch them.
"""

from typing import Final

GROUP: Final = "processor"
"""The consumer group on every topic stream."""

LAYOUT: Final = "hookline:layout"
"""Hash: the partition count and schema version the data was written with."""


PROCESSORS: Final = "hookline:processors"
"""Sorted set: the processors that are there, by the server's time of their last heartbeat."""


def topic(partition: int, name: str) -> str:
    """Stream: the events of one topic not yet settled."""
    return f"hookline:{{{partition}}}:{name}"


def seen(partition: int, dedupe_key: str) -> str:
    """Give the string key, expiring, that holds the id of the event first accepted under `dedupe_key`."""
    return f"hookline:{{{partition}}}:seen:{dedupe_key}"


def lease(partition: int) -> str:
    """Hash: who owns the partition, and the term, a number that rises with every owner."""
    return f"hookline:{{{partition}}}:lease"


def token(partition: int, owner: str, term: int) -> str:
    """Stream, empty and expiring: there is one while the lease of `owner` runs. `scripts/lease.lua` spells it, too."""
    return f"{lease(partition)}:{owner}:{term}"


def retries(partition: int) -> str:
    """Hash: topic and entry id -> the record of its failed attempts."""
    return f"hookline:{{{partition}}}:retries"


def dead(partition: int) -> str:
    """Stream: dead letters."""
    return f"hookline:{{{partition}}}:dead"


def ledger(partition: int) -> str:
    """Stream: settled events with their outcome, on their way to the database."""
    return f"hookline:{{{partition}}}:ledger"


def discarded(partition: int) -> str:
    """Stream, bounded: which dead letters people threw away, who, when and why."""
    return f"hookline:{{{partition}}}:discarded"


def probe(partition: int) -> str:
    """Give a key that never exists: writing to it, if it did, shows whether the server takes writes."""
    return f"hookline:{{{partition}}}:probe"


def limit(partition: int, name: str, digest: str) -> str:
    """Give the string key, expiring, of a rate limit `name`, for somebody of whom only `digest` is told."""
    return f"hookline:{{{partition}}}:limit:{name}:{digest}"
