"""Every kind of webhook, signed in every way and sent to every path: how it is answered, and what is in Redis then."""

from collections.abc import Callable
from json import dumps
from typing import NamedTuple

import pytest

from hookline_ingress.routing.routes import PATHS
from hookline_shared.topics import BULK, CALLS, CONVERSATIONS, DEFAULT_TOPICS, EVENTS, MESSAGES, OUTBOX, STATUSES
from tests.support.inbound.kinds import (
    ACCOUNT,
    call,
    call_status,
    live_transcription,
    message,
    message_status,
    picture_message,
    recording_status,
    transcription,
    unknown,
    whatsapp_message,
    whatsapp_status,
)
from tests.support.inbound.products import (
    debugger,
    delivery_updated,
    document_updated,
    list_item,
    map_item,
    message_add,
    message_added,
    participant_added,
    reservation,
    stream_message,
    studio,
    task,
    verify,
)
from tests.support.inbound.webhooks import TOKEN, Params, Twilio, Webhook
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.ingress.replies import assert_accepted, assert_refused
from tests.support.storage.stored import Stored

TWILIO = Twilio()
OTHER_ACCOUNT, OTHER_TOKEN = "AC" + "2" * 32, "f" * 32
KEY_ID, SHARED_KEY = "webhooks_sharedkey_1", "a-shared-secret"


class Expected(NamedTuple):
    """A webhook, and what is to come of it. `status` 200 is empty TwiML."""

    params: Params
    kind: str
    topic: str
    status: int = 204


EXPECTED = {
    "SMS": Expected(message(), "message.received", MESSAGES, 200),
    "MMS": Expected(picture_message(), "message.received", MESSAGES, 200),
    "WhatsApp": Expected(whatsapp_message(), "message.received", MESSAGES, 200),
    "SMS status": Expected(message_status(), "message.status", STATUSES),
    "read receipt": Expected(whatsapp_status("read", "READ"), "message.status", STATUSES),
    "call": Expected(call(), "call.received", CALLS, 200),
    "call step": Expected(call(Digits="5", CallStatus="in-progress"), "call.received", CALLS, 200),
    "call status": Expected(call_status(), "call.status", STATUSES),
    "recording": Expected(recording_status(), "recording.status", STATUSES),
    "transcription": Expected(transcription(), "transcription", STATUSES),
    "live transcription": Expected(live_transcription(), "transcription", STATUSES),
    "message to be added": Expected(message_add(), "conversation.onMessageAdd", CONVERSATIONS),
    "message added": Expected(message_added(), "conversation.onMessageAdded", CONVERSATIONS),
    "participant added": Expected(participant_added(), "conversation.onParticipantAdded", CONVERSATIONS),
    "delivery updated": Expected(delivery_updated(), "conversation.onDeliveryUpdated", CONVERSATIONS),
    "task": Expected(task(), "taskrouter.task.created", EVENTS),
    "reservation": Expected(reservation(), "taskrouter.reservation.created", EVENTS),
    "verify": Expected(verify(), "verify.factor.created", EVENTS),
    "document": Expected(document_updated(), "sync.document_updated", EVENTS),
    "list item": Expected(list_item(), "sync.list_item_added", EVENTS),
    "map item": Expected(map_item(), "sync.map_item_added", EVENTS),
    "stream message": Expected(stream_message(), "sync.stream_message_published", EVENTS),
    "studio": Expected(studio(), "studio", EVENTS),
    "debugger": Expected(debugger(), "debugger.error", EVENTS),
    "unknown": Expected(unknown(), "unknown", EVENTS),
}
every_kind = pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED.keys())


def as_json(twilio: Twilio, params: Params) -> Webhook:
    return twilio.json(dumps(dict(params)).encode())


SHAPES: dict[str, Callable[[Twilio, Params], Webhook]] = {"form": Twilio.webhook, "GET": Twilio.get, "JSON": as_json}
every_shape = pytest.mark.parametrize("made", SHAPES.values(), ids=SHAPES.keys())


@every_kind
@every_shape
async def test_accepted_once(
    ingress: LocalIngress, stored: Stored, expected: Expected, made: Callable[[Twilio, Params], Webhook]
) -> None:
    """Each kind is answered as Twilio expects, however often it comes, and is one event of its topic, however it is sent."""
    for _ in range(2):
        assert_accepted(await ingress.client.post(made(TWILIO, expected.params)), expected.status)
    assert [event.kind for event in stored.events(expected.topic)] == [expected.kind]
    assert stored.events() == stored.events(expected.topic)


@every_kind
async def test_duplicate(ingress: LocalIngress, stored: Stored, expected: Expected) -> None:
    """Twilio's retry, with parameters in another order and those it adds, or by GET, is answered alike and no second event."""
    params = expected.params
    added = (("ErrorCode", "11200"), ("ErrorUrl", "https://a.example.com/"), ("RetryCount", "1"))
    deliveries = [TWILIO.webhook(delivery) for delivery in (params, params[::-1], params + added)]
    for webhook in (*deliveries, TWILIO.get(params)):
        assert_accepted(await ingress.client.post(webhook), expected.status)
    assert len(stored.events()) == 1


@pytest.mark.parametrize("path", [*PATHS])
async def test_every_path_takes_every_kind(ingress: LocalIngress, stored: Stored, path: str) -> None:
    """A webhook that was configured for the wrong path is taken for what it is, and answered as that.

    At the path for Studio, whose requests may have any parameters, that is so for messages, calls and their statuses.
    """
    for params, _, _, status in EXPECTED.values():
        assert_accepted(await ingress.client.post(TWILIO.webhook(params, path)), status)
    is_studio = path == "/twilio/studio"
    kinds = ["studio" if is_studio and "ApiVersion" not in dict(one.params) else one.kind for one in EXPECTED.values()]
    assert sorted(event.kind for event in stored.events()) == sorted(kinds)


def test_every_topic_has_a_kind() -> None:
    """Ingress writes to the topics that the processor reads; none but `bulk` has no kind of its own."""
    assert {expected.topic for expected in EXPECTED.values()} == set(DEFAULT_TOPICS) - {BULK, OUTBOX}


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda body: TWILIO.json(body, hashed=False),
        lambda body: TWILIO.json(body).with_body(body + b" "),
        lambda body: Twilio("0" * 32).json(body),
        lambda body: TWILIO.json(body).with_header("Content-Type", "application/x-www-form-urlencoded"),
    ],
    ids=["no hash", "another body", "another token", "another content type"],
)
async def test_json_that_proves_nothing(ingress: LocalIngress, stored: Stored, spoilt: Callable[[bytes], Webhook]) -> None:
    """A JSON body counts only if the URL has its hash, and the signature is that of this URL."""
    assert_refused(await ingress.client.post(spoilt(dumps(dict(message())).encode())), 403, stored)


async def test_get_with_a_changed_query(ingress: LocalIngress, stored: Stored) -> None:
    """The signature of a GET covers the whole query."""
    webhook = TWILIO.get(message())
    for target in (webhook.target + "&a=", webhook.target.replace("NumMedia=0", "NumMedia=1")):
        assert_refused(await ingress.client.request("GET", target, webhook.headers), 403, stored)


@every_shape
async def test_shared_keys(redis_url: str, stored: Stored, made: Callable[[Twilio, Params], Webhook]) -> None:
    """A shared key signs for itself only, and beside the auth token; an id that is not configured is refused."""
    params, settings = unknown(), "X-Twilio-Webhooks-Signature-Settings"
    shared = Twilio(SHARED_KEY, key_id=KEY_ID)
    forgeries = [
        made(Twilio(SHARED_KEY, key_id="another"), params),
        made(Twilio("0" * 32, key_id=KEY_ID), params),
        made(Twilio(TOKEN, key_id=KEY_ID), params),
        made(shared, params).with_header(settings, f"key={KEY_ID},algorithm=HMAC_SHA1"),
        made(shared, params).with_header(settings, f"key={KEY_ID},algorithm=NONE"),
        made(shared, params).without_header(settings),
        made(Twilio(SHARED_KEY), params),
    ]
    changes = {"TWILIO_SHARED_KEYS": f"unused=99999,{KEY_ID}={SHARED_KEY}"}
    async with running_ingress(ingress_settings(redis_url) | changes) as ingress:
        for webhook in forgeries:
            assert_refused(await ingress.client.post(webhook), 403, stored)
        assert_accepted(await ingress.client.post(made(shared, params)), 204)
        assert_accepted(await ingress.client.post(made(TWILIO, params)), 204)  # the same event
        assert_accepted(await ingress.client.post(made(TWILIO, unknown())), 204)
    assert sorted(event.signer for event in stored.events()) == ["key2", "token1"]


@every_shape
async def test_rotation_and_subaccount(redis_url: str, stored: Stored, made: Callable[[Twilio, Params], Webhook]) -> None:
    """Old and new token, and a subaccount's own, are accepted side by side; the event says which signed."""
    tokens = f"{'0' * 32},{TOKEN},{OTHER_ACCOUNT}={OTHER_TOKEN}"
    async with running_ingress(ingress_settings(redis_url) | {"TWILIO_AUTH_TOKEN": tokens}) as ingress:
        for token, account in (("0" * 32, ACCOUNT), (TOKEN, ACCOUNT), (OTHER_TOKEN, OTHER_ACCOUNT)):
            assert_accepted(await ingress.client.post(made(Twilio(token), unknown(AccountSid=account))), 204)
        stolen = made(Twilio(OTHER_TOKEN), unknown(AccountSid=ACCOUNT))
        assert (await ingress.client.post(stolen)).status == 403
    assert {(event.signer, event.account) for event in stored.events()} == {
        ("token1", ACCOUNT),
        ("token2", ACCOUNT),
        ("token3", OTHER_ACCOUNT),
    }


@every_shape
async def test_several_public_urls(redis_url: str, stored: Stored, made: Callable[[Twilio, Params], Webhook]) -> None:
    """During a move from one domain to another, webhooks for both are accepted; a message that comes to both is one event."""
    urls = ["https://old.example.com:8443/in", "https://new.example.com"]
    params = message()
    async with running_ingress(ingress_settings(redis_url) | {"PUBLIC_URL": ",".join(urls)}) as ingress:
        for url in urls:
            assert_accepted(await ingress.client.post(made(Twilio(public_url=url), params)), 200)
        assert (await ingress.client.post(made(TWILIO, params))).status == 403
    assert len(stored.events()) == 1
