"""No log line, metric, span, health check or status holds what people wrote, who they are, or what opens a door."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.acceptance.support.machine import Machine
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.inbound.kinds import message, message_status, picture_message, sid
from tests.support.inbound.sendgrid import SendGrid
from tests.support.inbound.webhooks import TOKEN, Twilio, Webhook
from tests.support.observability.collector import Collector, collecting
from tests.support.processes.services import Services
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until, until_answer

REDIS_PASSWORD = "r3dis-pa55word"
DATABASE_PASSWORD = "d4tabase-pa55word"
SHARED_KEY = "5hared-key-5ecret"
COLLECTOR_KEY = "c0llector-key"
FORGED_TOKEN = "f0rged-token"
BODY = 'Planted "words"\n& Zoë\'s café, which are quite a few, so that somebody may cut them short 🙂'
PROFILE = "Quentin Profiled"
MEDIA = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/MEplanted"
EMAIL = "quentin.planted@example.com"
SENDERS = {word: f"+1415777{number:04d}" for number, word in enumerate(("fail", "once", "reject", "later", "done"), start=2100)}
RECIPIENT = "+18339990177"

WORDS = ("Planted", "words", "Zo\\", "café", "quite a few", "cut them short", "Quentin", "Profiled", "MEplanted", "planted@")
KEYS = (REDIS_PASSWORD, DATABASE_PASSWORD, SHARED_KEY, COLLECTOR_KEY, FORGED_TOKEN, TOKEN)
DIGITS = [number[-7:] for number in (*SENDERS.values(), RECIPIENT)]

EXPECTED = (
    *("event received", "event done", "event postponed", "attempt failed", "event is dead", "webhooks go through the spool"),
    *(
        "the ledger is waiting for its database",
        "by another logger",
        "UserWarning",
        "[redacted]",
        "hookline_events_total",
        "process ",
    ),
)
"""Without these, the test would look for secrets where nothing happened."""


@pytest.fixture
def locked_redis() -> Iterator[RedisServer]:
    with RedisServer({"requirepass": REDIS_PASSWORD, "appendonly": "yes", "appendfsync": "always"}) as server:
        yield server


@asynccontextmanager
async def careless_pair(
    redis: RedisServer, services: Services, folder: Path, collector: Collector, sendgrid: SendGrid, log_format: str
) -> AsyncIterator[Pair]:
    settings = {
        "LOG_FORMAT": log_format,
        "LOG_LEVEL": "debug",
        "PROCESSOR_HANDLERS": "tests.acceptance.support.handlers.careless:handlers",
        "PROCESSOR_MAX_ATTEMPTS": "2",
        "TWILIO_SHARED_KEYS": f"SKplanted={SHARED_KEY}",
        "SENDGRID_PUBLIC_KEY": sendgrid.public_key,
        "INGRESS_SPOOL_PATH": str(folder / "spool.db"),
        "HOOKLINE_LEDGER_URL": f"postgresql://hookline:{DATABASE_PASSWORD}@{LOOPBACK}:{free_port()}/away",
        "TRACING": "on",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={COLLECTOR_KEY}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    async with started_pair(redis, services, folder, settings=settings) as pair:
        yield pair


def webhooks() -> list[Webhook]:
    twilio, keyed = Twilio(), Twilio(SHARED_KEY, key_id="SKplanted")
    texts = {
        word: message(Body=f"{word} {BODY}", From=sender, To=RECIPIENT, ProfileName=PROFILE, WaId=sender[1:])
        for word, sender in SENDERS.items()
    }
    picture = picture_message(Body=BODY, From=f"whatsapp:{SENDERS['fail']}", To=f"whatsapp:{RECIPIENT}", MediaUrl0=MEDIA)
    return [
        *(twilio.webhook(text) for text in texts.values()),
        keyed.webhook(message_status(From=RECIPIENT, To=SENDERS["done"], MessageSid=sid("SM"))),
        twilio.webhook(picture),
        twilio.get(message(Body=f"done {BODY}", From=SENDERS["done"], To=RECIPIENT)),
    ]


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_nothing_personal_gets_out(
    log_format: str, locked_redis: RedisServer, services: Services, tmp_path: Path, machine: Machine
) -> None:
    """Whatever succeeds, fails, is refused, spooled, retried or dies, at the most talkative level, and however careless the
    handlers are."""
    sendgrid = SendGrid()
    sent = webhooks()
    event = {"email": EMAIL, "event": "delivered", "sg_event_id": "e1", "sg_message_id": "m1", "useragent": PROFILE}
    async with (
        collecting() as collector,
        careless_pair(locked_redis, services, tmp_path, collector, sendgrid, log_format) as pair,
    ):
        for webhook in sent:
            assert (await pair.client.post(webhook)).status < 300
        assert (await pair.client.post(sendgrid.webhook([event]))).status < 300
        forged = Twilio(FORGED_TOKEN).webhook(message(Body=BODY, From=SENDERS["fail"]))
        assert (await pair.client.post(forged)).status == 403
        await until(lambda: len(pair.dead_letters()) == 5 and pair.settled(), "all is done or dead")
        locked_redis.kill()
        spooled = Twilio().webhook(message(Body=f"reject {BODY}", From=SENDERS["fail"], To=RECIPIENT))
        assert (await pair.client.post(spooled)).status == 200
        assert await pair.spooled() == 1
        told = [await one.probe("readyz?verbose", 200) for one in (pair.ingress,)]
        locked_redis.start()
        await until_answer(lambda: revived(pair, locked_redis), bool, "what was spooled is dead, too")
        await until(lambda: len(collector.named("POST /twilio")) == len(sent) + 1, "all POSTs there are traced")
        told += [await one.probe("metrics", 200) for one in (pair.ingress, pair.processor)]
        told += [await one.probe("readyz?verbose", 200) for one in (pair.ingress, pair.processor)]
        told.append(await status(machine, pair, locked_redis))
        await asyncio.gather(pair.ingress.stop(), pair.processor.stop())
        told += [pair.ingress.errors, pair.processor.errors, *pair.ingress.stdout, *pair.processor.stdout]
        told += [raw.decode(errors="replace") for raw in collector.raw]
    seen = "\n".join(told)
    for expected in EXPECTED:
        assert expected in seen
    for line in seen.splitlines():
        assert secrets_in(line, sent) == [], line


async def revived(pair: Pair, redis: RedisServer) -> bool:
    """Whether what was spooled has been handled, over a connection of our own that may have to be made anew."""
    with redis.client as client:
        pair.redis = client
        return await pair.spooled() == 0 and len(pair.dead_letters()) == 6 and pair.settled()


async def status(machine: Machine, pair: Pair, redis: RedisServer) -> str:
    admin = [word for one in (pair.ingress, pair.processor) for word in ("--admin", f"{LOOPBACK}:{one.admin_port}")]
    _, output = await machine.run("status", "--interval", "0.1", "--json", *admin, REDIS_URL=redis.url)
    assert "accepted_per_s" in output
    return output


def secrets_in(line: str, sent: list[Webhook]) -> list[str]:
    """Return what of it all stands in `line`."""
    headers = ("X-Twilio-Signature", "I-Twilio-Idempotency-Token")
    digits = re.sub(r"(?<=\d)[\s().-]{1,2}(?=\d)", "", line)
    tokens = [webhook.headers[name] for webhook in sent for name in headers]
    return [secret for secret in (*WORDS, *KEYS, *tokens) if secret in line] + [number for number in DIGITS if number in digits]
