"""Webhooks of all kinds through both services: from an emulator of Twilio, and beside others that fail or wait."""

from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.support.emulator import ACCOUNT, AUTH_TOKEN, NUMBER, missing, running_emulator
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.inbound.kinds import sid
from tests.support.inbound.webhooks import Params, Twilio
from tests.support.processes.services import Services
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until

TWILIO = Twilio()
SENDER = "+15550002222"
HANDLERS = {"PROCESSOR_HANDLERS": "tests.acceptance.support.handlers.kind_recorder:handlers", "PROCESSOR_MAX_ATTEMPTS": "1000"}


def joined(conference: str, name: str) -> Params:
    """Return what Twilio sends when somebody joins a conference."""
    facts = {"ConferenceSid": conference, "StatusCallbackEvent": "participant-join", "SequenceNumber": "1"}
    return (*facts.items(), ("FriendlyName", name), ("AccountSid", ACCOUNT))


def amd_result(call: str) -> Params:
    """Return what Twilio sends when asynchronous AMD has a result."""
    return (("CallSid", call), ("AccountSid", ACCOUNT), ("AnsweredBy", "human"), ("MachineDetectionDuration", "2400"))


def kinds(pair: Pair) -> Counter[tuple[str, str]]:
    """Return the kinds and statuses of the handled events."""
    return Counter((line["kind"], line["status"]) for line in pair.lines())


async def test_failing_conference_delays_no_other(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """While the handler fails for one conference, other conferences, calls and strangers of the account are handled."""
    broken, others = sid("CF"), [sid("CF") for _ in range(20)]
    strangers = [(("AccountSid", ACCOUNT), ("GizmoSid", sid("GZ"))) for _ in range(20)]
    async with started_pair(own_redis, services, tmp_path, settings=HANDLERS) as pair:
        for params in (joined(broken, "broken"), *(joined(one, "well") for one in others), *strangers):
            assert (await pair.client.post(TWILIO.webhook(params))).status == 204
        await until(lambda: len(pair.lines()) == 40, "all others are handled")
        assert broken not in {line["key"] for line in pair.lines()}
        (tmp_path / "mended").touch()
        await until(pair.settled, "the broken conference is handled, too")
        assert pair.lines()[-1]["key"] == broken


async def test_results_of_amd_are_handled_together(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Results for twenty calls run at the same time: none of their handlers ends before all have begun."""
    settings = HANDLERS | {"HOOKLINE_TEST_TOGETHER": "20"}
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        for _ in range(20):
            assert (await pair.client.post(TWILIO.webhook(amd_result(sid("CA"))))).status == 204
        await until(pair.settled, "all are handled")
        assert kinds(pair) == {("amd", ""): 20}


@pytest.mark.skipif(bool(missing()), reason=missing())
async def test_emulator(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Messages, statuses and calls of an emulator that is not ours are verified, told right, and handled once."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    own = {"TWILIO_AUTH_TOKEN": AUTH_TOKEN, "PUBLIC_URL": url, "INGRESS_PORT": str(port)}
    async with (
        started_pair(own_redis, services, tmp_path, settings=HANDLERS | own) as pair,
        running_emulator(tmp_path, url) as twilio,
    ):
        received = await twilio.simulate("inbound-message", To=NUMBER, From=SENDER, Body="2 soups, please: café")
        sent = await twilio.post(
            f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
            To=SENDER,
            From=NUMBER,
            Body="They are ready",
            StatusCallback=f"{url}/twilio/status",
        )
        for status in ("sent", "delivered", "delivered"):
            await twilio.simulate("message-status", MessageSid=sent["sid"], Status=status)
        call = await twilio.simulate("inbound-call", To=NUMBER, From=SENDER)
        await twilio.simulate("call-status", CallSid=call["sid"], Status="completed")
        await until(pair.settled, "all is handled")
        found = kinds(pair)
        assert {name for name, _ in found} == {"message.received", "message.status", "call.received"}
        assert found["message.received", ""] == 1
        assert found["message.status", "sent"] == found["message.status", "delivered"] == 1
        # For a status, the emulator sends the same seven parameters as for an instruction. Twilio's statuses have a
        # CallbackSource, and final ones a CallDuration, also that of a call that nobody answered.
        assert found["call.received", "in-progress"] == found["call.received", "completed"] == 1
        keys = {(line["kind"], line["key"]) for line in pair.lines()}
        assert keys == {
            ("message.received", f"{SENDER}:{NUMBER}"),
            ("message.status", sent["sid"]),
            ("call.received", call["sid"]),
        }
        assert [line["body"] for line in pair.lines() if line["kind"] == "message.received"] == [received["body"]]
        assert pair.dead_letters() == []
