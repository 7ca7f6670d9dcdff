"""The app behind a forward is away, while messages come in.

HOOKLINE_OUTAGE_S is for how many seconds: `make outage` takes 300, at 100 messages/s.
"""

import asyncio
import os
import time
from pathlib import Path

import aiohttp
import pytest

from tests.support.inbound.webhooks import TOKEN, Twilio
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.services import Services
from tests.support.servers.fake_twilio import ACCOUNT, fake_twilio
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.sample_app import SampleApp

OUTAGE_S = float(os.environ.get("HOOKLINE_OUTAGE_S", "0"))
PER_S = 100
SENDERS = 500

pytestmark = [pytest.mark.skipif(OUTAGE_S == 0, reason="run make outage"), pytest.mark.timeout(0)]


def webhook(number: int) -> list[tuple[str, str]]:
    sender = f"+1415{number % SENDERS:07}"
    params = [("MessageSid", f"SM{number:032x}"), ("From", sender), ("To", "+18005551212"), ("Body", str(number))]
    return [*params, ("AccountSid", ACCOUNT), ("SmsStatus", "received"), ("NumMedia", "0")]


async def test_app_that_is_away(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Nothing is lost, every conversation keeps its order, and every reply is sent once."""
    app = SampleApp(token=TOKEN)
    await app.start()
    async with fake_twilio() as twilio, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
        settings = ingress_settings(own_redis.url) | {
            "FORWARD_URL": app.url,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_API_SECRET": "secret",
            "TWILIO_API_URL": twilio.url,
        }
        ingress, _ = await services.ingress(settings).start(), await services.processor(settings).start()
        await app.stop()
        client, sending = IngressClient(session, ingress.port), []
        started, number = time.monotonic(), 0
        while number < OUTAGE_S * PER_S:
            sending.append(asyncio.create_task(client.post(Twilio().webhook(webhook(number), "/sms"))))
            number += 1
            await asyncio.sleep(max(0, started + number / PER_S - time.monotonic()))
        assert all(reply.status == 200 for reply in await asyncio.gather(*sending))
        await app.start()
        back, seen = time.monotonic(), -1
        while len(twilio.messages) < number and len(twilio.messages) != seen:
            seen = len(twilio.messages)
            await asyncio.sleep(10)
        took = time.monotonic() - back
    await app.stop()
    disordered = 0
    for sender in range(SENDERS):
        mine = [one["body"] for one in twilio.messages if one["to"] == f"+1415{sender:07}"]
        wanted = [f"{at + 1}: {text}" for at, text in enumerate(range(sender, number, SENDERS))]
        disordered += mine != wanted
    twice = len(twilio.messages) - len({one["body"] + one["to"] for one in twilio.messages})
    print(
        f"\napp away for {OUTAGE_S:.0f} s at {PER_S}/s: {number - len(twilio.messages)} of {number} lost, {twice} sent twice, "
        f"{disordered} of {SENDERS} conversations out of order; all sent {took:.0f} s after it came back"
    )
    assert (len(twilio.messages), twice, disordered) == (number, 0, 0)
