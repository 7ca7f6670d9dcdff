"""Every kind of the catalogue over HTTP: what it is told as, its keys, its reply, what handlers read, and what is a retry."""

from collections.abc import Mapping
from json import dumps
from typing import Any

import pytest

from hookline_processor.events.events import typed
from hookline_shared.catalogue.kinds import ALL, kind_of
from hookline_shared.event import Event
from tests.support.inbound.kind_rows import ACCOUNT, CALLS, MESSAGING, KindRow
from tests.support.inbound.product_rows import CONVERSATIONS, OTHERS
from tests.support.inbound.sendgrid import SendGrid
from tests.support.inbound.webhooks import Twilio, Webhook
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.ingress.replies import assert_accepted
from tests.support.storage.stored import Stored

TWILIO, SENDGRID = Twilio(), SendGrid()
TOKEN = "I-Twilio-Idempotency-Token"
ROWS = [*MESSAGING, *CALLS, *CONVERSATIONS, *OTHERS]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)


def sent(row: KindRow, params: Mapping[str, Any], token: str = "") -> Webhook:
    """Return the webhook with `params`, as the product of `row` sends it. `token` is Twilio's idempotency token."""
    match row.shape:
        case "JSON":
            webhook = TWILIO.json(dumps(params).encode())
        case "stream":
            webhook = TWILIO.json(dumps([params]).encode(), "/twilio/events")
        case "SendGrid":
            return SENDGRID.webhook([dict(params)])
        case "multipart":
            return SENDGRID.email({name: str(value) for name, value in params.items()})
        case _:
            webhook = TWILIO.webhook((name, str(value)) for name, value in params.items())
    return webhook.with_header(TOKEN, token) if token else webhook


@pytest.fixture
async def ingress(redis_url: str) -> Any:
    """Yield an ingress that takes the webhooks of SendGrid as well."""
    async with running_ingress(ingress_settings(redis_url) | {"SENDGRID_PUBLIC_KEY": SENDGRID.public_key}) as one:
        yield one


async def accepted(ingress: LocalIngress, stored: Stored, row: KindRow, *deliveries: Webhook) -> list[Event]:
    """Return the events of `deliveries`, each of which has the reply of its kind."""
    for webhook in deliveries:
        assert_accepted(await ingress.client.post(webhook), 200 if row.twiml else 204)
    return stored.events()


def test_every_kind_has_a_row() -> None:
    """The rows are of all kinds in the catalogue."""
    assert {kind for row in ROWS if (kind := kind_of(row.kind))} == set(ALL)


@each_row
async def test_least(ingress: LocalIngress, stored: Stored, row: KindRow) -> None:
    """The parameters that tell a kind are enough."""
    (event,) = await accepted(ingress, stored, row, sent(row, row.least))
    assert event.kind == row.kind


@each_row
async def test_full_retry_and_next(ingress: LocalIngress, stored: Stored, row: KindRow) -> None:
    """All that Twilio sends makes one event, with keys and attributes. Its retry is none, the next of its resource
    is one, whatever its token."""
    added = {"RetryCount": "1"} if row.shape == "form" else {}
    (event,) = await accepted(ingress, stored, row, sent(row, row.full, "t1"), sent(row, {**row.full, **added}, "t1"))
    assert_told(event, row)
    following = await accepted(ingress, stored, row, sent(row, {**row.full, **row.following}, "t1"))
    assert len({event.dedupe_key for event in following}) == 2


def assert_told(event: Event, row: KindRow) -> None:
    """The event has the kind, keys, class, attributes and account of the row."""
    assert (event.kind, event.key) == (row.kind, row.ordering)
    assert event.dedupe_key.startswith(f"{event.account}:{row.kind}:")
    if row.dedupe is not None:
        assert event.dedupe_key == f"{event.account}:{row.kind}:{row.dedupe}"
    handled, kind = typed(event), kind_of(row.kind)
    assert kind is not None
    assert type(handled) is kind.event
    assert {name: getattr(handled, name) for name in row.read} == row.read
    assert handled.account_sid in (ACCOUNT, "")
    assert handled.account_sid or ACCOUNT not in dumps(row.full)


@pytest.mark.parametrize("row", [row for row in ROWS if row.dedupe is None and row.shape == "form"], ids=lambda row: row.kind)
async def test_same_content_twice(ingress: LocalIngress, stored: Stored, row: KindRow) -> None:
    """Where Twilio sends no id, its idempotency token tells two equal events apart, and is the same for a retry."""
    deliveries = [sent(row, row.full, token) for token in ("t1", "t1", "t2", "t2")]
    assert len(await accepted(ingress, stored, row, *deliveries)) == 2


async def test_token_never_joins(ingress: LocalIngress, stored: Stored) -> None:
    """Two events with one token, which nobody signed, stay two events."""
    row = next(row for row in CALLS if row.kind == "call.received")
    deliveries = [sent(row, row.full | {"Digits": digits}, "t1") for digits in ("1", "2")]
    assert len(await accepted(ingress, stored, row, *deliveries)) == 2


async def test_parent_account(redis_url: str, stored: Stored) -> None:
    """A token that is bound to the parent account signs what is about a subaccount: it counts as the parent's."""
    parent, token = "AC" + "2" * 32, "f" * 32
    row = next(row for row in OTHERS if row.kind == "debugger.error")
    async with running_ingress(ingress_settings(redis_url) | {"TWILIO_AUTH_TOKEN": f"{parent}={token}"}) as ingress:
        (event,) = await accepted(ingress, stored, row, Twilio(token).webhook(row.full.items()))
        assert (event.account, typed(event).account_sid) == (parent, parent)
        forged = Twilio(token).webhook((row.full | {"ParentAccountSid": ""}).items())
        assert (await ingress.client.post(forged)).status == 403
