"""What each webhook is, where it goes, what makes it a duplicate, and what it must stay in order with."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress import catalogue
from ingress.catalogue import CALL_RECEIVED, CALL_STATUS, MESSAGE_RECEIVED, STUDIO, UNKNOWN, Facts, Kind, tell
from shared import topics
from shared.forms import form_of
from tests.support.webhooks import (
    ACCOUNT,
    RECIPIENT,
    SENDER,
    Params,
    call,
    call_status,
    message,
    message_status,
    picture_message,
    unknown,
    whatsapp_message,
    whatsapp_status,
)


class Case(NamedTuple):
    """A webhook and what is to come of it. `dedupe` is None where it is a hash."""

    params: Params
    kind: str
    topic: str
    ordering: str
    dedupe: str | None


CASES = {
    "SMS": Case(
        message(MessageSid="SM1"),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM1",
    ),
    "SMS without a body": Case(
        message(MessageSid="SM1", Body=None),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM1",
    ),
    "SMS with the older SID only": Case(
        message(MessageSid=None, SmsSid="SM1"),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM1",
    ),
    "MMS": Case(
        picture_message(MessageSid="MM1"),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:MM1",
    ),
    "WhatsApp": Case(
        whatsapp_message(MessageSid="SM1"),
        "message.received",
        topics.MESSAGES,
        f"whatsapp:{SENDER}:whatsapp:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM1",
    ),
    "SMS sent": Case(
        message_status("sent", MessageSid="SM1"),
        "message.status",
        topics.STATUSES,
        "SM1",
        f"{ACCOUNT}:message.status:SM1:sent:",
    ),
    "SMS undelivered": Case(
        message_status("undelivered", MessageSid="SM1", ErrorCode="30003"),
        "message.status",
        topics.STATUSES,
        "SM1",
        f"{ACCOUNT}:message.status:SM1:undelivered:",
    ),
    "WhatsApp delivered": Case(
        whatsapp_status("delivered", "DELIVERED", MessageSid="SM1"),
        "message.status",
        topics.STATUSES,
        "SM1",
        f"{ACCOUNT}:message.status:SM1:delivered:DELIVERED",
    ),
    "WhatsApp read": Case(
        whatsapp_status("read", "READ", MessageSid="SM1"),
        "message.status",
        topics.STATUSES,
        "SM1",
        f"{ACCOUNT}:message.status:SM1:read:READ",
    ),
    "call": Case(call(CallSid="CA1"), "call.received", topics.CALLS, "CA1", None),
    "call step": Case(call(CallSid="CA1", CallStatus="in-progress", Digits="5"), "call.received", topics.CALLS, "CA1", None),
    "call completed": Case(
        call_status("completed", CallSid="CA1", SequenceNumber="3"),
        "call.status",
        topics.STATUSES,
        "CA1",
        f"{ACCOUNT}:call.status:CA1:3",
    ),
    "call initiated": Case(
        call_status("initiated", CallSid="CA1", SequenceNumber="0"),
        "call.status",
        topics.STATUSES,
        "CA1",
        f"{ACCOUNT}:call.status:CA1:0",
    ),
    "call completed, unnumbered": Case(
        call_status("completed", CallSid="CA1", SequenceNumber=None),
        "call.status",
        topics.STATUSES,
        "CA1",
        f"{ACCOUNT}:call.status:CA1:completed",
    ),
    "unknown": Case(unknown(), "unknown", topics.EVENTS, ACCOUNT, None),
    "message SID without a message": Case(
        (("MessageSid", "SM1"), ("AccountSid", ACCOUNT)), "unknown", topics.EVENTS, ACCOUNT, None
    ),
    "call SID without a call": Case((("CallSid", "CA1"), ("AccountSid", ACCOUNT)), "unknown", topics.EVENTS, ACCOUNT, None),
    "nothing": Case((), "unknown", topics.EVENTS, "", None),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
RECOGNISED = [case for case in CASES.values() if case.kind != "unknown"]


def dedupe(params: Params, target: str = "/twilio", expected: Kind | None = None) -> str:
    told, (path, _, query) = dict(params), target.partition("?")
    kind = tell(told, expected)
    return catalogue.dedupe_key(kind, kind.name_of(told), Facts(path, told, form_of(params), query.encode()))


def ordering(params: Params) -> str:
    told = dict(params)
    return catalogue.ordering_key(tell(told), Facts("/twilio", told, form_of(params), b""))


@cases
def test_kind_and_topic(case: Case) -> None:
    """Every webhook is told by its parameters alone."""
    kind = tell(dict(case.params))
    assert (kind.name_of(dict(case.params)), kind.topic) == (case.kind, case.topic)


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
@pytest.mark.parametrize("added", [("ErrorCode", "11200"), ("ErrorUrl", "https://a.example.com/"), ("RetryCount", "1")])
def test_what_a_second_delivery_adds_does_not_count(case: Case, added: tuple[str, str]) -> None:
    """A retry, and a call of the fallback URL, are duplicates although Twilio adds parameters."""
    facts = {name: value for name, value in case.params if name != added[0]}
    assert dedupe((*facts.items(), added)) == dedupe(tuple(facts.items()))


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
        pytest.param(unknown(FaxSid="FX1"), unknown(FaxSid="FX2"), id="unknown"),
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


@pytest.mark.parametrize("case", [case for case in RECOGNISED if case.dedupe is not None])
def test_overlong_keys_are_bounded(case: Case) -> None:
    """However long what a request contains is, keys stay short, and different ones stay different."""
    for name in ("MessageSid", "CallSid"):
        long = {**dict(case.params), name: "x" * 60_000}
        longer = {**dict(case.params), name: "x" * 60_001}
        for key in (dedupe, ordering):
            assert len(key(tuple(long.items()))) <= 200
        if name in dict(case.params):
            assert dedupe(tuple(long.items())) != dedupe(tuple(longer.items()))


def test_overlong_conversation_is_bounded() -> None:
    """Absurd numbers make a bounded ordering key that still tells conversations apart."""
    keys = {ordering(message(From="+1" * length)) for length in (1000, 1001)}
    assert len(keys) == 2
    assert all(len(key) <= 200 for key in keys)


def test_route_decides_only_what_is_not_told() -> None:
    """A webhook sent to the wrong route is still taken for what it is; one that does not tell is taken for the route's kind."""
    assert tell(dict(message()), CALL_STATUS) is MESSAGE_RECEIVED
    assert tell(dict(call_status()), CALL_RECEIVED) is CALL_STATUS
    assert tell(dict(message()), MESSAGE_RECEIVED) is MESSAGE_RECEIVED
    assert tell(dict(unknown()), STUDIO) is STUDIO
    assert tell(dict(unknown())) is UNKNOWN


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
names = st.sampled_from(
    ["MessageSid", "SmsSid", "MessageStatus", "Body", "NumMedia", "CallSid", "CallStatus", "CallbackSource", "SequenceNumber"]
)


@given(st.dictionaries(names | texts, texts | st.just("call-progress-events") | st.just("received"), max_size=12))
def test_any_parameters_have_a_kind_and_keys(params: dict[str, str]) -> None:
    """No verified webhook, however odd, is without a kind or breaks the making of keys."""
    kind = tell(params)
    facts = Facts("/twilio", params, form_of(params.items()), b"")
    assert kind.topic in topics.DEFAULT_TOPICS
    assert 0 < len(catalogue.dedupe_key(kind, kind.name_of(params), facts)) <= 200
    assert len(catalogue.ordering_key(kind, facts)) <= 200
