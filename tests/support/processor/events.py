"""Events as ingress makes them, for tests without ingress."""

from base64 import b64encode
from hashlib import sha1
from itertools import count, islice

from hookline_shared.event import Event, new_event_id
from hookline_shared.partitions import partition_of
from tests.support.storage.stored import PARTITIONS

_number = count(1)


def event(
    dedupe_key: str | None = None,
    *,
    key: str = "+14155550123:+18005551212",
    body: bytes = b"Body=hello",
    kind: str = "message.received",
) -> Event:
    """Return an event with an id of its own, and unless `dedupe_key` is given, one that is no duplicate of any other.

    Its signature is that of every event with its dedupe key, and of no other.
    """
    number = next(_number)
    dedupe_key = dedupe_key or f"AC1:message.received:SM{number}"
    return Event(
        id=new_event_id(1_750_000_000_000 + number),
        kind=kind,
        key=key,
        dedupe_key=dedupe_key,
        received_at=1_750_000_000_000 + number,
        account="AC1",
        content_type="application/x-www-form-urlencoded",
        target="/twilio",
        body=body,
        signature=b64encode(sha1(dedupe_key.encode(), usedforsecurity=False).digest()).decode(),
        signer="token1",
        method="POST",
    )


def key_of(partition: int, nth: int = 0) -> str:
    """Return an ordering key of `partition`, another one for each `nth`."""
    keys = (f"key{number}" for number in count() if partition_of(f"key{number}", PARTITIONS) == partition)
    return next(islice(keys, nth, None))
