"""Every Redis key, spelled once.

The partition is the hash tag, so that all keys of one partition lie in one cluster slot and one script can touch them.
"""

import re
from dataclasses import dataclass
from typing import Final

GROUP: Final = "processor"
"""The consumer group on every topic stream."""

DEFAULT_PREFIX: Final = "hookline"
_LONGEST_PREFIX: Final = 64
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]+")


def check_prefix(prefix: str) -> str:
    """Return `prefix` if keys may begin with it.

    Without `:`, no key of one prefix matches the pattern of another's ACL, `prefix:*`; without braces, the hash tag stays the
    partition; and nothing else in it is special in a pattern.

    Raises:
        ValueError: if it may not.

    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("it may have letters, digits, '-', '_' and '.', and nothing else")
    if len(prefix) > _LONGEST_PREFIX:
        raise ValueError(f"it has {len(prefix)} characters, and {_LONGEST_PREFIX} are the most; every key begins with it")
    return prefix


@dataclass(frozen=True)
class Keys:
    """The keys of one installation, which all begin with `prefix`. Installations with different prefixes share no key."""

    prefix: str = DEFAULT_PREFIX

    @property
    def layout(self) -> str:
        """Hash: the partition count and schema version the data was written with."""
        return f"{self.prefix}:layout"

    @property
    def processors(self) -> str:
        """Sorted set: the processors that are there, by the server's time of their last heartbeat."""
        return f"{self.prefix}:processors"

    def topic(self, partition: int, name: str) -> str:
        """Stream: the events of one topic not yet settled."""
        return f"{self.prefix}:{{{partition}}}:{name}"

    def seen(self, partition: int, dedupe_key: str) -> str:
        """Return the string key, expiring, that holds the id of the event first accepted under `dedupe_key`."""
        return f"{self.prefix}:{{{partition}}}:seen:{dedupe_key}"

    def lease(self, partition: int) -> str:
        """Hash: who owns the partition, and the term, a number that rises with every owner."""
        return f"{self.prefix}:{{{partition}}}:lease"

    def token(self, partition: int, owner: str, term: int) -> str:
        """Stream, empty and expiring: it exists while the lease of `owner` runs. `scripts/lease.lua` spells it, too."""
        return f"{self.lease(partition)}:{owner}:{term}"

    def retries(self, partition: int) -> str:
        """Hash: topic and entry id -> the record of its failed attempts."""
        return f"{self.prefix}:{{{partition}}}:retries"

    def dead(self, partition: int) -> str:
        """Stream: dead letters."""
        return f"{self.prefix}:{{{partition}}}:dead"

    def ledger(self, partition: int) -> str:
        """Stream: settled events with their outcome, on their way to the database."""
        return f"{self.prefix}:{{{partition}}}:ledger"

    def discarded(self, partition: int) -> str:
        """Stream, bounded: which dead letters people threw away, who, when and why."""
        return f"{self.prefix}:{{{partition}}}:discarded"

    def probe(self, partition: int) -> str:
        """Return a key that never exists: writing to it, if it did, shows whether the server takes writes."""
        return f"{self.prefix}:{{{partition}}}:probe"

    def limit(self, partition: int, name: str, digest: str) -> str:
        """Return the string key, expiring, of a rate limit `name`, for somebody of whom only `digest` is told."""
        return f"{self.prefix}:{{{partition}}}:limit:{name}:{digest}"
