"""What each webhook is, where it goes, what makes it a duplicate, and what it must stay in order with."""

from json import dumps
from typing import Any

import pytest
from multidict import CIMultiDict

from hookline_ingress.translation import event_keys as keys
from hookline_ingress.translation.webhook import members
from hookline_shared import topics
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import CLASSIFIED, FAMILIES, KINDS, SINGLE, classify
from hookline_shared.catalogue.products.email import SENDGRID_EVENT
from hookline_shared.catalogue.products.messaging import MESSAGE_RECEIVED
from hookline_shared.catalogue.products.streams import EVENT_STREAM
from hookline_shared.event import without_token
from tests.support.inbound.case import Case
from tests.support.inbound.catalogue_cases import CASES
from tests.support.inbound.decoded import decoded_form, decoded_json
from tests.support.inbound.event_keys import dedupe, ordering
from tests.support.inbound.kinds import (
    call,
    call_status,
    live_transcription,
    message,
    message_status,
    recording_status,
    transcription,
    unknown,
    whatsapp_status,
)
from tests.support.inbound.products import (
    debugger,
    delivery_updated,
    document_updated,
    email_event,
    list_item,
    map_item,
    message_add,
    message_added,
    participant_added,
    reservation,
    stream_event,
    stream_message,
    studio,
    task,
    verify,
)
from tests.support.inbound.webhooks import Params

IN_CHAT = {"ConversationSid": "CH1", "ParticipantSid": "MB1"}

cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@cases
def test_kind_and_topic(case: Case) -> None:
    """Every webhook is classified by its parameters alone."""
    kind = classify(dict(case.params))
    assert (kind.name_of(dict(case.params)), kind.topic) == (case.kind, case.topic)


def test_every_kind_has_a_case() -> None:
    """The table above says of each kind that parameters can tell, and of no other, what happens to it."""
    told = {family if family in FAMILIES else case.kind for case in CASES.values() for family in [case.kind.partition(".")[0]]}
    classified = {kind.name for kind in CLASSIFIED}
    assert told <= classified | {"unknown"}
    assert classified | {"event.stream", "sendgrid.event", "email.received", "unknown"} == KINDS.keys() == {*FAMILIES, *SINGLE}


@pytest.mark.parametrize(
    ("kind", "element", "ordering_key", "dedupe_key"),
    [
        (EVENT_STREAM, stream_event(id="EZ1", source="/a"), ":event.stream:/a", ":event.stream:EZ1"),
        (SENDGRID_EVENT, email_event(sg_event_id="e1", sg_message_id="m1"), ":sendgrid.event:m1", ":sendgrid.event:e1"),
        (
            SENDGRID_EVENT,
            email_event(sg_event_id="e1", sg_message_id=""),
            ":sendgrid.event:zoe@example.com",
            ":sendgrid.event:e1",
        ),
    ],
)
def test_elements_of_an_array(kind: Kind, element: dict[str, Any], ordering_key: str, dedupe_key: str) -> None:
    """What comes in arrays is known by its route; its own id makes its dedupe key, without an account."""
    facts = decoded_json(members(dumps(element).encode()), b"")
    assert kind.topic == topics.EVENTS
    assert keys.ordering_key(kind, facts, "alone") == ordering_key
    assert keys.dedupe_key(kind, kind.name_of(facts.params), facts) == dedupe_key


def keys_of_json(body: dict[str, Any]) -> tuple[str, str, str]:
    params = members(dumps(body).encode())
    facts, kind = decoded_json(params, dumps(body).encode()), classify(params)
    name = kind.name_of(params)
    return name, keys.ordering_key(kind, facts, "alone"), keys.dedupe_key(kind, name, facts)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        (message(), "ConversationSid"),
        (message_status(), "EventType"),
        (message_added(), "DeliveryReceiptSid"),
        (document_updated(), "EventId"),
        (recording_status(CallSid=None), "CallSid"),
        (verify(factor_sid=None), "factor_sid"),
    ],
)
def test_null_is_nothing(params: Params, name: str) -> None:
    """A member of JSON that is null identifies nothing: the event is what it would be without that member."""
    assert keys_of_json(dict(params) | {name: None}) == keys_of_json(dict(params))


@cases
def test_ordering_key(case: Case) -> None:
    """Messages stay in order per conversation, everything else per resource."""
    assert ordering(case.params) == case.ordering


@cases
def test_dedupe_key(case: Case) -> None:
    """The dedupe key is made of what identifies the event, under its account and kind."""
    if case.dedupe is not None:
        assert dedupe(case.params) == case.dedupe
    else:
        assert 0 < len(dedupe(case.params)) <= 200


@cases
def test_reordered_parameters_are_the_same_event(case: Case) -> None:
    """A delivery whose parameters come in another order is a duplicate."""
    assert dedupe(case.params[::-1]) == dedupe(case.params)


@cases
@pytest.mark.parametrize("added", [{"ErrorCode": "11200", "ErrorUrl": "https://a.example.com/"}, {"RetryCount": "1"}])
def test_what_a_second_delivery_adds_does_not_count(case: Case, added: dict[str, str]) -> None:
    """A retry, and a call of the fallback URL, are duplicates although Twilio adds parameters."""
    facts = {name: value for name, value in case.params if name not in added}
    assert dedupe((*facts.items(), *added.items())) == dedupe(tuple(facts.items()))


@cases
def test_another_account_is_another_event(case: Case) -> None:
    """Two accounts never share a dedupe key, whatever they send."""
    facts = dict(case.params) | {"AccountSid": "AC" + "2" * 32}
    assert dedupe(tuple(facts.items())) != dedupe(case.params)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(message_status("sent", MessageSid="SM1"), message_status("delivered", MessageSid="SM1"), id="status"),
        pytest.param(
            whatsapp_status("delivered", "DELIVERED", MessageSid="SM1"),
            whatsapp_status("read", "READ", MessageSid="SM1"),
            id="read receipt",
        ),
        pytest.param(message(MessageSid="SM1"), message_status("sent", MessageSid="SM1"), id="message and its status"),
        pytest.param(message(MessageSid="SM1"), message(MessageSid="SM2"), id="message"),
        pytest.param(call(CallSid="CA1"), call(CallSid="CA2"), id="call"),
        pytest.param(call(CallSid="CA1", Digits="1"), call(CallSid="CA1", Digits="2"), id="digits"),
        pytest.param(call(CallSid="CA1"), call(CallSid="CA1", CallStatus="in-progress"), id="call step"),
        pytest.param(
            call_status("ringing", CallSid="CA1", SequenceNumber="1"),
            call_status("in-progress", CallSid="CA1", SequenceNumber="2"),
            id="sequence number",
        ),
        pytest.param(
            recording_status("in-progress", RecordingSid="RE1"), recording_status(RecordingSid="RE1"), id="recording status"
        ),
        pytest.param(transcription(TranscriptionSid="TR1"), transcription(TranscriptionSid="TR2"), id="transcription"),
        pytest.param(
            live_transcription(TranscriptionSid="GT1", SequenceId="2"),
            live_transcription(TranscriptionSid="GT1", SequenceId="3"),
            id="what is said next",
        ),
        pytest.param(
            live_transcription("transcription-started", TranscriptionSid="GT1"),
            live_transcription("transcription-stopped", TranscriptionSid="GT1"),
            id="start and end of a transcription",
        ),
        pytest.param(
            message_added(MessageSid="IM1"), message_added(MessageSid="IM1", EventType="onMessageRemoved"), id="removal"
        ),
        pytest.param(
            message_added(MessageSid="IM1", EventType="onMessageUpdated", DateUpdated="1"),
            message_added(MessageSid="IM1", EventType="onMessageUpdated", DateUpdated="2"),
            id="edit",
        ),
        pytest.param(delivery_updated(DeliveryReceiptSid="DY1"), delivery_updated(DeliveryReceiptSid="DY2"), id="participant"),
        pytest.param(
            delivery_updated("sent", DeliveryReceiptSid="DY1"), delivery_updated(DeliveryReceiptSid="DY1"), id="delivery"
        ),
        pytest.param(
            message_added(MessageSid="IM1", EventType="onMessageUpdate", DateUpdated="1", Body="1"),
            message_added(MessageSid="IM1", EventType="onMessageUpdate", DateUpdated="1", Body="2"),
            id="edit that is to be allowed",
        ),
        pytest.param(
            message_add(EventType="onParticipantUpdated", DateCreated="1", LastReadMessageIndex="1", **IN_CHAT),
            message_add(EventType="onParticipantUpdated", DateCreated="1", LastReadMessageIndex="2", **IN_CHAT),
            id="update without its date",
        ),
        pytest.param(participant_added(ParticipantSid="MB1"), participant_added(ParticipantSid="MB2"), id="participant added"),
        pytest.param(message_add(Body="1", **IN_CHAT), message_add(Body="2", **IN_CHAT), id="message to be added"),
        pytest.param(
            reservation(ResourceSid="WR1"), reservation("reservation.accepted", ResourceSid="WR1"), id="reservation event"
        ),
        pytest.param(
            reservation("worker.activity.update", ResourceSid="WK1", TimestampMs="1750345200001"),
            reservation("worker.activity.update", ResourceSid="WK1", TimestampMs="1750345200002"),
            id="twice in a second",
        ),
        pytest.param(task(ResourceSid="WT1"), task("task.canceled", ResourceSid="WT1"), id="task event"),
        pytest.param(verify(uuid="u1"), verify(uuid="u2"), id="verify"),
        pytest.param(document_updated(DocumentRevision="1"), document_updated(DocumentRevision="2"), id="revision"),
        pytest.param(list_item(ItemIndex="1"), list_item(ItemIndex="2"), id="list item"),
        pytest.param(list_item(), list_item("list_item_removed"), id="list item removed"),
        pytest.param(map_item(ItemKey="a"), map_item(ItemKey="b"), id="map item"),
        pytest.param(map_item("map_item_updated"), map_item("map_item_updated", EventId="13"), id="map item updated again"),
        pytest.param(stream_message(StreamMessageSid="TZ1"), stream_message(StreamMessageSid="TZ2"), id="stream message"),
        pytest.param(studio(ExecutionSid="FN1", choice="1"), studio(ExecutionSid="FN1", choice="2"), id="studio"),
        pytest.param(debugger(Sid="NO1"), debugger(Sid="NO2"), id="debugger"),
        pytest.param(unknown(GizmoSid="GZ1"), unknown(GizmoSid="GZ2"), id="unknown"),
        pytest.param((("ab", "c"),), (("a", "bc"),), id="where a name ends"),
        pytest.param((("a", "1"), ("b", "")), (("a", ""), ("b", "1")), id="which name has the value"),
    ],
)
def test_different_events_have_different_keys(one: Params, other: Params) -> None:
    """What happened twice, or is a later step of the same thing, is not a duplicate."""
    assert dedupe(one) != dedupe(other)


def test_same_call_at_two_targets_is_two_steps() -> None:
    """A call that is sent on to another URL is a new step, even with the same parameters."""
    params = call(CallSid="CA1")
    assert dedupe(params, "/twilio/voice?step=1") != dedupe(params, "/twilio/voice?step=2")
    assert dedupe(params, "/twilio/voice?step=1") == dedupe(params, "/twilio/voice?step=1")


def test_idempotency_does_not_depend_on_the_route_of_a_message() -> None:
    """A message that comes to the general and to its own route is one event."""
    params = message(MessageSid="SM1")
    assert dedupe(params, "/twilio") == dedupe(params, "/twilio/message", MESSAGE_RECEIVED)


def test_token_is_beside_the_content() -> None:
    """The idempotency token is at the end of a key that is made of content, and the rest does not depend on it."""
    params = call(CallSid="CA1", Digits="1")

    def keyed(token: str, target: str = "/twilio/voice") -> str:
        webhook = decoded_form(params, target, CIMultiDict({keys.TOKEN: token} if token else {}))
        return keys.dedupe_key(classify(webhook.params), "call.received", webhook)

    assert len({keyed(""), keyed("a"), keyed("b")}) == 3
    assert {without_token(keyed(token)) for token in ("a", "b")} == {keyed("")} == {keyed("not a token!")}
    long = f"/{'~long/' * 40}"
    assert without_token(keyed("a" * 64, long)) == keyed("", long)
    assert len(keyed("a" * 64, long)) <= 200
