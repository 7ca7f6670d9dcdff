"""The names of all Redis keys.

The partition is the hash tag, so that all keys of one partition are in one cluster slot and one script can use them.
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
    """Return `prefix` if it is valid.

    It has no `:`, so that no key of one installation matches the ACL pattern of another, `prefix:*`; no braces, so that the
    hash tag stays the partition; and nothing else that is special in a pattern.

    Raises:
        ValueError: if it is not valid.

    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("it may have letters, digits, '-', '_' and '.', and nothing else")
    if len(prefix) > _LONGEST_PREFIX:
        raise ValueError(f"it has {len(prefix)} characters, and {_LONGEST_PREFIX} are the most; every key begins with it")
    return prefix


@dataclass(frozen=True)
class Keys:
    """The keys of one installation. All begin with `prefix`; installations with different prefixes share no key."""

    prefix: str = DEFAULT_PREFIX

    @property
    def layout(self) -> str:
        """Hash: the number of partitions and the schema version of the data."""
        return f"{self.prefix}:layout"

    @property
    def processors(self) -> str:
        """Sorted set: the running processors, by the server's time of their last heartbeat."""
        return f"{self.prefix}:processors"

    @property
    def topics(self) -> str:
        """Hash: every topic that ingress has ever written -> since when, Unix time in milliseconds."""
        return f"{self.prefix}:topics"

    def about(self, processor: str) -> str:
        """String that expires: what a processor publishes about itself. Its hash tag puts it into the slot of `processors`."""
        return f"{self.prefix}:about:{{{self.processors}}}:{processor}"

    @property
    def pauses(self) -> str:
        """Hash: id -> pause, what operators have told the processors not to attempt."""
        return f"{self.prefix}:pauses"

    @property
    def console_audit(self) -> str:
        """Bounded stream: who did what with the web console, when and why."""
        return f"{self.prefix}:console:audit"

    @property
    def console_history(self) -> str:
        """Bounded stream: what the web console measured, for its charts."""
        return f"{self.prefix}:console:history"

    @property
    def genuine(self) -> str:
        """Sorted set: hashes of the addresses from which webhooks were verified, by the server's time of the last one in ms."""
        return f"{self.prefix}:genuine"

    def space(self, partition: int) -> str:
        """The common start of the keys of one partition, for scripts that spell some of them themselves."""
        return f"{self.prefix}:{{{partition}}}:"

    def topic(self, partition: int, name: str) -> str:
        """Stream: the events of one topic that are not settled."""
        return f"{self.prefix}:{{{partition}}}:{name}"

    def marks(self, partition: int) -> str:
        """String: the generations of the marks of accepted events, in MessagePack. Their hashes have names of their own behind
        that, `…:<generation>:<bucket>`: see `scripts/dedupe_marks.lua`."""
        return f"{self.space(partition)}marks"

    def seen(self, partition: int, dedupe_key: str) -> str:
        """String that expires: the id of the event that was first accepted under `dedupe_key`, as older versions marked it."""
        return f"{self.space(partition)}seen:{dedupe_key}"

    def signed(self, partition: int, text: str) -> str:
        """String that expires: a hash of what the signed text that `text` stands for was first used for."""
        return f"{self.prefix}:{{{partition}}}:signed:{text}"

    def sent(self, partition: int, token: str) -> str:
        """String that expires: the state of the message with `token`, its mark. `scripts/settle.lua` has its name, too."""
        return f"{self.space(partition)}sent:{token}"

    def sid(self, partition: int, sid: str) -> str:
        """String that expires: the token of the message that Twilio calls `sid`."""
        return f"{self.space(partition)}sid:{sid}"

    def memory(self, partition: int, digest: str) -> str:
        """String that expires: what handlers remember of a conversation. `scripts/settle.lua` has its name, too."""
        return f"{self.space(partition)}memory:{digest}"

    def answer(self, partition: int, digest: str) -> str:
        """String that expires: the answer to the live event whose dedupe key has the digest `digest`."""
        return f"{self.space(partition)}answer:{digest}"

    def answers(self, partition: int) -> str:
        """Bounded stream that expires: the digests of new answers."""
        return f"{self.space(partition)}answers"

    def cookies(self, partition: int, digest: str) -> str:
        """String that expires: the cookies that the app of a forward has set in the conversation with the hash `digest`."""
        return f"{self.space(partition)}cookies:{digest}"

    def lease(self, partition: int) -> str:
        """Hash: the owner of the partition, and the term, a number that rises with every owner."""
        return f"{self.prefix}:{{{partition}}}:lease"

    def token(self, partition: int, owner: str, term: int) -> str:
        """Empty stream that expires with the lease of `owner`. `scripts/lease.lua` has its name, too."""
        return f"{self.lease(partition)}:{owner}:{term}"

    def retries(self, partition: int) -> str:
        """Hash: topic and entry id -> the record of its failed attempts."""
        return f"{self.prefix}:{{{partition}}}:retries"

    def waiting(self, partition: int, topic: str, condition: str = "") -> str:
        """Sorted set: the waiting lanes of a topic by the time of their next attempt. `waiting_index.lua` explains the waiting
        index and has all its names, too."""
        return f"{self.space(partition)}waiting:{topic}{condition and f':{condition}'}"

    def conditions(self, partition: int) -> str:
        """Set: topic and condition of each sorted set of lanes that wait for a condition."""
        return f"{self.space(partition)}conditions"

    def resumed(self, partition: int, topic: str) -> str:
        """Set: the indexed lanes that are, or may be, in the memory of the owner."""
        return f"{self.space(partition)}resumed:{topic}"

    def dead(self, partition: int) -> str:
        """Stream: dead letters."""
        return f"{self.prefix}:{{{partition}}}:dead"

    def ledger(self, partition: int) -> str:
        """Stream: settled events with their outcome, until they are in the database."""
        return f"{self.prefix}:{{{partition}}}:ledger"

    def discarded(self, partition: int) -> str:
        """Bounded stream: the discarded dead letters, with who discarded them, when and why."""
        return f"{self.prefix}:{{{partition}}}:discarded"

    def probe(self, partition: int) -> str:
        """Key that never exists: a command that would write to it shows whether the server accepts writes."""
        return f"{self.prefix}:{{{partition}}}:probe"

    def limit(self, partition: int, name: str, digest: str) -> str:
        """String that expires: the rate limit `name` of the key with the hash `digest`."""
        return f"{self.prefix}:{{{partition}}}:limit:{name}:{digest}"
