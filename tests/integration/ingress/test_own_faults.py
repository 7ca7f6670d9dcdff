"""A fault in ingress itself costs the request at hand, and no other one."""

import asyncio

import pytest

from hookline_ingress import webhooks
from hookline_ingress.http.proxies import Proxies
from hookline_ingress.routing.routes import Route, Routes
from hookline_ingress.verification import RequestVerifier
from hookline_ingress.writer import Writer
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.local_ingress import ingress_settings, running_ingress

TWILIO = Twilio()


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (Routes, "find"),
        (Proxies, "client"),
        (RequestVerifier, "verify"),
        (webhooks, "translate"),
        (Writer, "write"),
        (webhooks, "label_of"),
        (Route, "reply_to"),
    ],
)
async def test_others_are_answered(redis_url: str, monkeypatch: pytest.MonkeyPatch, owner: object, step: str) -> None:
    """Whether the fault shows before the events are stored or after that, with other requests in the same batch."""
    works, calls = getattr(owner, step), 0

    def fails_first(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError
        return works(*arguments)

    monkeypatch.setattr(owner, step, fails_first)
    async with running_ingress(ingress_settings(redis_url) | {"INGRESS_MAX_IN_FLIGHT": "10"}) as ingress:
        sent = [ingress.client.post(TWILIO.webhook(message(MessageSid=f"SM{number:032x}"))) for number in range(10)]
        statuses = sorted([reply.status for reply in await asyncio.gather(*sent)])
        assert statuses == [200] * 9 + [500]
        assert ingress.logbook.find("a request failed inside ingress") is not None
        again = [ingress.client.post(TWILIO.webhook(message(MessageSid=f"SM{number:032x}"))) for number in range(10, 20)]
        assert {reply.status for reply in await asyncio.gather(*again)} == {200}, "none is in flight any more"
