"""Settings of ingress that show only from outside: paths of one's own, and proxies in front."""

from collections import Counter
from pathlib import Path

import pytest

from hookline_ingress.metrics import REQUESTS
from hookline_shared.settings.config_file import CONFIG_VARIABLE
from hookline_shared.topics import BULK, EVENTS, MESSAGES
from tests.support.inbound.kinds import message, message_status, unknown
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.local_ingress import ingress_settings, running_ingress
from tests.support.ingress.replies import assert_accepted
from tests.support.storage.stored import Stored

TWILIO = Twilio()
GREETING = "<Response><Message>Thank you</Message></Response>"


async def test_routes_of_the_toml_file(redis_url: str, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths that the TOML file adds or changes take webhooks as it says: kind, topic, reply, largest body, rate of a sender."""
    file = tmp_path / "hookline.toml"
    file.write_text(
        f"""
        [[routes]]
        path = "/tenants/7"
        kind = "studio"
        reply = "{GREETING}"
        max_body = 2000
        sender_rate = 0.001
        sender_burst = 1

        [[routes]]
        path = "/twilio/status"
        topic = "{EVENTS}"
        """
    )
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    async with running_ingress(ingress_settings(redis_url)) as ingress:
        for _ in range(2):
            reply = await ingress.client.post(TWILIO.webhook(message(), "/tenants/7"))
            assert (reply.status, reply.content_type, reply.body) == (200, "text/xml", GREETING.encode())
        assert (await ingress.client.post(TWILIO.webhook(unknown(), "/tenants/7"))).body == GREETING.encode()
        assert (await ingress.client.post(TWILIO.webhook(message(Body="x" * 2000), "/tenants/7"))).status == 413
        assert_accepted(await ingress.client.post(TWILIO.webhook(message_status(), "/twilio/status")), 204)
        assert_accepted(await ingress.client.post(TWILIO.webhook(message(), "/twilio/message")), 200)
    kinds = {topic: sorted(event.kind for event in stored.events(topic)) for topic in (MESSAGES, BULK, EVENTS)}
    assert kinds == {
        MESSAGES: ["message.received", "message.received"],
        BULK: ["message.received"],
        EVENTS: ["message.status", "studio"],
    }


@pytest.mark.parametrize(("proxies", "status"), [("127.0.0.0/8", 200), ("10.0.0.0/8,fd00::/8", 403), ("", 403)])
async def test_host_that_a_proxy_was_called_with(redis_url: str, proxies: str, status: int) -> None:
    """A webhook that is signed for the host a proxy names is genuine if that proxy is trusted, and else is not."""
    webhook = Twilio(public_url="https://Other.Example.com:8443").webhook(message())
    headers = {**webhook.headers, "X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "Other.Example.com:8443"}
    async with running_ingress(ingress_settings(redis_url) | {"INGRESS_TRUSTED_PROXIES": proxies}) as ingress:
        assert (await ingress.client.request("POST", webhook.target, headers, webhook.body)).status == status
        assert (await ingress.client.post(webhook)).status == 403, "without a proxy's word"
        assert (await ingress.client.post(TWILIO.webhook(message()))).status == 200, "PUBLIC_URL always counts"


def turned_away() -> Counter[str]:
    """Return how many requests were, by their outcome."""
    return Counter(flooding=counted("flooding"), flooding_signed=counted("flooding_signed"))


def counted(outcome: str) -> int:
    return REQUESTS.total(lambda labels: labels[2] == outcome)


async def test_address_that_a_proxy_speaks_for(redis_url: str) -> None:
    """Behind a trusted proxy each client is limited on its own, and cannot put its requests down to another."""
    settings = {"INGRESS_TRUSTED_PROXIES": "127.0.0.0/8", "INGRESS_ADDRESS_RATE": "0.001", "INGRESS_ADDRESS_BURST": "1"}
    webhook = TWILIO.webhook(message())
    forged = webhook.with_header("X-Twilio-Signature", "forged")
    async with running_ingress(ingress_settings(redis_url) | settings) as ingress:
        for number in range(3):
            spoofed = forged.with_header("X-Forwarded-For", f"198.51.100.{number}, 203.0.113.9:{5000 + number}, 127.0.0.2")
            assert (await ingress.client.post(spoofed)).status == 403
        flooder = webhook.with_header("X-Forwarded-For", "203.0.113.9")
        before = turned_away()
        assert (await ingress.client.post(flooder.without_header("X-Twilio-Signature"))).status == 403
        assert turned_away() - before == Counter(flooding=1)
        assert (await ingress.client.post(flooder)).status == 200, "what is signed is verified, within a budget"
        for number in range(3):
            other = webhook.with_header("X-Forwarded-For", f"198.51.100.{number}")
            assert (await ingress.client.post(other)).status == 200
