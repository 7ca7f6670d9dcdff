"""A Redis and a ledger full of personal data and hostile texts: in topics, waiting lanes, dead letters and the outbox."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import redis

from hookline_cli.ledger.database import with_engine
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.database.store import Store
from hookline_processor.partition.outcomes import dead_letter_fields
from hookline_processor.replies.outbox_events import outbox_entry
from hookline_processor.verdicts import Dead, Failure, Reason
from hookline_shared.event import SCHEMA, Event
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.settlements import Outputs, Settlements
from hookline_shared.topics import MESSAGES
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed, read
from tests.support.processor.waiting_lanes import put_waiting
from tests.support.storage.dead_letters import fields_of
from tests.support.storage.keys import keys
from tests.support.storage.ledger import ledger_settings, message, rows, status
from tests.support.storage.stored import PARTITIONS

NUMBER: Final = "+14155550147"
SHOP: Final = "+18005551299"
NAME: Final = "Zebediah Quillfeather"
TEXT: Final = "my pin is tulip7"
SCRIPT: Final = "<script>alert('tulip7')</script><img src=x onerror=alert(1)>"
TURNED: Final = "abc\u202etulip7\u202c\u2066x\u2069"
LONG: Final = "Quillfeather " * 800
"""A name of 10 kB."""
SID: Final = "SM" + "0147456789abcdef" * 2
SECRETS: Final = (NUMBER, NUMBER[1:], NUMBER[2:], SHOP, SHOP[1:], "Zebediah", "Quillfeather", "tulip7", "%2B14155550147")
"""What a viewer must find nowhere."""


def params(body: str, **more: str) -> dict[str, str]:
    """Return the parameters of a message that says `body`."""
    return {"MessageSid": SID, "From": NUMBER, "To": SHOP, "Body": body, "ProfileName": NAME, "NumMedia": "0"} | more


def inbound(body: str, key: str = f"{NUMBER}:{SHOP}", **more: str) -> Event:
    """Return a message that says `body`."""
    return event(key=key, body=urlencode(params(body, **more)).encode())


def plant_dead_letters(client: "redis.Redis", *bodies: str) -> None:
    """Put a dead letter of a message with each of `bodies` into Redis. Its error and its traceback quote it."""
    client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    for body in bodies:
        name = LONG if body is LONG else NAME
        one = inbound(body, ProfileName=name)
        failure = Failure("LookupError", f"no order for {NUMBER}: {body}", f"Traceback\n  raise LookupError('{name} {body}')\n")
        verdict = Dead(Reason.EXHAUSTED, failure, 3, one.received_at + 1)
        fields: list[Any] = [*fields_of(one), *dead_letter_fields(verdict, MESSAGES, "1-0", one.received_at + 2)]
        client.execute_command("XADD", keys.dead(partition_of(one.key, PARTITIONS)), "*", *fields)


async def plant_unsettled(broker: RedisConnectionManager, consumer: Consumer, client: "redis.Redis") -> None:
    """Put an unread event, a waiting lane and messages in the outbox into Redis."""
    await put_waiting(broker, consumer, key_of(PARTITION), 1)
    parent = msgspec.structs.replace(inbound(TEXT), key=key_of(PARTITION, 1))
    await Feed(broker).put_all([parent])
    (entry,) = await read(consumer)
    sent = {"To": NUMBER, "From": SHOP, "Body": f"dear {NAME}, {TEXT}"}
    made = [outbox_entry(parent, 0, sent, parent.received_at)]
    await consumer.settle(Settlements(done={MESSAGES: [entry.id]}, outputs=[Outputs(MESSAGES, entry.id, made)]))
    client.execute_command("XADD", keys.topic(PARTITION, MESSAGES), "*", *fields_of(inbound(SCRIPT, key_of(PARTITION, 2))))


def plant_ledger(path: Path) -> str:
    """Write a conversation into a new ledger in SQLite, and return its URL. Call it where no event loop runs."""
    url = f"sqlite:///{path}"
    with_engine(ledger_settings(url), migrate)
    batch = rows(
        message(SID, TEXT, sender=NUMBER, recipient=SHOP, ProfileName=NAME),
        message(SID[:-1] + "e", SCRIPT, at=1000, sender=NUMBER, recipient=SHOP),
        message(SID[:-1] + "d", TURNED + LONG, at=2000, sender=NUMBER, recipient=SHOP),
        status(SID[:-1] + "c", "undelivered", at=3000, sender=SHOP, recipient=NUMBER, ErrorCode="30003"),
    )
    with_engine(ledger_settings(url), lambda engine: Store(engine).write(batch))
    return url
