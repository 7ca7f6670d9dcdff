"""One genuine webhook, captured, and sent again with the boundaries of its signed text moved: it stays one event."""

from dataclasses import replace
from random import Random
from urllib.parse import urlencode

import pytest

from tests.support.inbound.kinds import ACCOUNT, call, message
from tests.support.inbound.resplits import moved, signed_text
from tests.support.inbound.webhooks import Params, Twilio, Webhook
from tests.support.ingress.local_ingress import LocalIngress
from tests.support.ingress.replies import assert_accepted
from tests.support.storage.stored import Stored

TWILIO = Twilio()
PLACES = {"FromCity": "OAKLAND", "ToCity": "OAKLAND"}  # without a space, so that every copy of the text is a valid URL
SMS = message(Body="pay_meFrom+1999FromCityX", **PLACES)
VICTIM = "+1999"


def with_sender(webhook: Webhook) -> Webhook:
    """Return `webhook` as a message of somebody else, whose number its sender wrote into the text."""
    params = {name: value for name, value in webhook.params if name not in ("Body", "From", "FromCity")}
    params |= {"Body": "pay_me", "From": VICTIM, "FromCity": f"XFrom{dict(webhook.params)['From']}FromCityOAKLAND"}
    return replace(webhook, params=tuple(params.items()), body=urlencode(params).encode())


async def test_forged_sender_is_refused(ingress: LocalIngress, stored: Stored) -> None:
    """A message that says who sent it, in its text, is that message and no other, and the operator is told."""
    genuine = TWILIO.webhook(SMS)
    forged = with_sender(genuine)
    assert signed_text(forged) == signed_text(genuine)
    assert_accepted(await ingress.client.post(genuine), 200)
    without_sid = replace(forged, body=forged.body.replace(b"&SmsSid=", b"SmsSid").replace(b"&MessageSid=", b"MessageSid"))
    assert (await ingress.client.post(without_sid)).status == 403
    assert (await ingress.client.post(forged)).status in (200, 403)
    assert_accepted(await ingress.client.post(genuine), 200)
    assert [(event.method, event.account) for event in stored.events()] == [("POST", ACCOUNT)]
    assert ingress.logbook.find("request refused: its signature was used for another event")


async def test_many_copies_are_one_warning(ingress: LocalIngress) -> None:
    """Whoever has one genuine webhook cannot fill the log with it, and is not taken for Twilio."""
    genuine = TWILIO.webhook(SMS)
    assert_accepted(await ingress.client.post(genuine), 200)
    for _ in range(20):
        assert (await ingress.client.post(with_sender(genuine))).status == 403
    lines = [line for line in ingress.logbook.lines if "used for another event" in line["event"]]
    assert len(lines) == 1


@pytest.mark.parametrize("params", [SMS, call(**PLACES)], ids=["message", "call"])
async def test_copies_make_no_second_event(ingress: LocalIngress, stored: Stored, params: Params) -> None:
    """A hundred copies, by GET and POST, on longer and shorter URLs, with and without an account: one event."""
    genuine, chance = TWILIO.webhook(params, "/twilio?x=1"), Random(7)
    assert_accepted(await ingress.client.post(genuine), 200)
    for _ in range(100):
        assert (await ingress.client.post(moved(genuine, chance))).status in (200, 204, 400, 403, 404)
    assert [event.account for event in stored.events()] == [ACCOUNT]


async def test_post_sent_as_get_is_refused(ingress: LocalIngress, stored: Stored) -> None:
    """A GET of the whole signed text is signed, too, and names no account; the method is stored with the event."""
    genuine = TWILIO.webhook(SMS, "/twilio?x=1")
    get = replace(genuine, target=signed_text(genuine), method="GET", body=b"").without_header("Content-Type")
    assert_accepted(await ingress.client.post(genuine), 200)
    assert (await ingress.client.post(get)).status == 403
    assert_accepted(await ingress.client.post(TWILIO.get(message())), 200)
    assert sorted(event.method for event in stored.events()) == ["GET", "POST"]
