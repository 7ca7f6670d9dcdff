"""Webhooks that look like those of another product: requests of Studio flows, steps and statuses of calls, empty parameters."""

import pytest
from multidict import CIMultiDict

from hookline_ingress.translation import event_keys as keys
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import ALL, classify
from hookline_shared.catalogue.products.email import EMAIL_RECEIVED
from hookline_shared.catalogue.products.streams import STUDIO, UNKNOWN
from hookline_shared.event import TOKEN_MARK
from tests.support.inbound.case import Case
from tests.support.inbound.catalogue_cases import CASES
from tests.support.inbound.decoded import decoded_form
from tests.support.inbound.kinds import ACCOUNT, call, call_status, message, sid
from tests.support.inbound.products import studio

EXECUTION, CALL, MESSAGE = "FN" + "1" * 32, "CA" + "1" * 32, "SM" + "1" * 32
OTHERS = [kind for kind in ALL if kind not in (STUDIO, UNKNOWN)]


def key_of(params: dict[str, str], path: str = "/twilio", token: str = "") -> str:
    """Return the dedupe key of a form."""
    webhook = decoded_form(tuple(params.items()), path, CIMultiDict({keys.TOKEN: token} if token else {}))
    kind = classify(webhook.params)
    return keys.dedupe_key(kind, kind.name_of(webhook.params), webhook)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_flow_with_the_parameters_of_another_product(case: Case) -> None:
    """Whatever the author of a flow calls its parameters, a request that names flow or execution is one of Studio."""
    assert classify(dict(case.params) | {"ExecutionSid": EXECUTION}) is STUDIO
    assert classify(dict(case.params) | {"FlowSid": "FW" + "1" * 32}) is STUDIO


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.name)
def test_parameters_that_tell_a_kind_at_the_route_of_studio(kind: Kind) -> None:
    """At the route for Studio, names that a flow may use as well make no other kind."""
    names = {name for alternatives in kind.condition.needs for name in alternatives}
    own = {"ApiVersion", "CallbackSource", "StatusCallbackEvent", "specversion"}
    assert classify(dict.fromkeys(names - own, "1"), STUDIO) is STUDIO


def test_webhook_of_another_product_at_the_route_of_studio() -> None:
    """What only Twilio sends is still told, so that a wrong URL in the console is no loss."""
    for params in (message(), call(), call_status()):
        assert classify(dict(params), STUDIO) is classify(dict(params)) is not STUDIO


def test_two_widgets_of_one_execution() -> None:
    """Requests of an execution are one event only if path, parameters and idempotency token are the same."""
    sent = dict(studio(ExecutionSid=EXECUTION, MessageSid=MESSAGE, From="+1", Body="Hello"))
    events = [
        key_of(sent),
        key_of(sent, "/twilio/studio"),
        key_of(sent, token="a"),
        key_of(sent, token="b"),
        key_of(sent | {"Body": "Bye"}),
        key_of(sent | {"ExecutionSid": sid("FN")}),
    ]
    assert len(set(events)) == len(events)
    assert key_of(sent) == events[0]


FINAL = {"CallSid": CALL, "CallDuration": "12", "CallStatus": "completed"}


@pytest.mark.parametrize(
    ("params", "name"),
    [
        (FINAL, "call.status"),
        (FINAL | {"CallStatus": "no-answer", "CallDuration": "0"}, "call.status"),
        (FINAL | {"CallDuration": ""}, "call.received"),
        (FINAL | {"CallStatus": "in-progress"}, "call.received"),
        (FINAL | {"DialCallStatus": "completed"}, "call.received"),
        (FINAL | {"CallSid": ""}, "unknown"),
        ({"CallSid": CALL, "CallStatus": "in-progress", "MessageSid": MESSAGE, "MessageStatus": "sent"}, "call.received"),
        ({"CallSid": CALL, "CallStatus": "in-progress", "SmsSid": MESSAGE, "From": "+1", "Body": "Hi"}, "call.received"),
        ({"MessageSid": MESSAGE, "From": "+1", "Body": "Hi", "CallStatus": ""}, "message.received"),
        ({"CallSid": CALL, "AnsweredBy": "human", "CallStatus": ""}, "amd"),
        ({"CallSid": CALL, "For": "payment-card-number", "Attempt": "2", "ErrorType": "timeout"}, "payment"),
    ],
)
def test_calls(params: dict[str, str], name: str) -> None:
    """A step of a call is told from a status, whatever it comes with; a parameter without a value tells nothing."""
    assert classify(params).name == name


@pytest.mark.parametrize(("params", "fits"), [({"from": "a", "to": "b", "envelope": "{}"}, True), ({"from": "a"}, False)])
def test_route_of_emails(params: dict[str, str], fits: bool) -> None:
    """A route can be for received e-mails, and then takes nothing else for one."""
    assert (classify(params, EMAIL_RECEIVED) is EMAIL_RECEIVED) is fits


@pytest.mark.parametrize(("name", "values"), [("IsOnline", ("true", "false")), ("LastReadMessageIndex", ("7", "8"))])
@pytest.mark.parametrize("event", ["onParticipantUpdated", "onUserUpdated"])
def test_change_without_a_new_date(event: str, name: str, values: tuple[str, str]) -> None:
    """Changes of a user or participant that do not change its date are events of their own."""
    changed = {"EventType": event, "UserSid": sid("US"), "ConversationSid": sid("CH"), "DateUpdated": "2025"}
    one, other = (key_of(changed | {name: value}) for value in values)
    assert len({one, other, key_of(changed)}) == 3


def test_state_changes() -> None:
    """Two changes of the state of a conversation are two events, although its date is the same."""
    changed = {"EventType": "onConversationStateUpdated", "ConversationSid": sid("CH"), "DateUpdated": "2025"}
    assert len({key_of(changed | {"StateUpdated": when}) for when in ("", "1", "2")}) == 3


def test_values_are_joined_unambiguously() -> None:
    """Where one value of a key ends and the next one begins does not depend on what is in them."""
    link = {"link": "a:b", "message_sid": MESSAGE, "click_time": "c"}
    assert key_of(link) != key_of(link | {"link": "a", "click_time": "b:c"})
    assert key_of(link | {"link": "a\\"}) != key_of(link | {"link": "a\\:", "click_time": ""})


def ordering(params: dict[str, str]) -> str:
    return keys.ordering_key(classify(params), decoded_form(tuple(params.items())), "alone")


def test_what_is_no_sid_belongs_to_its_account() -> None:
    """Names that the user chooses, such as a worker's, make no common lane of two accounts, nor of two kinds."""
    asked = {"Location": "GetCustomersList", "Worker": "zoe", "AccountSid": ACCOUNT}
    other = "AC" + "2" * 32
    assert ordering(asked) == f"{ACCOUNT}:frontline:zoe"
    assert ordering(asked | {"AccountSid": other}) == f"{other}:frontline:zoe"
    assert ordering(asked | {"ConversationSid": "CH" + "1" * 32}) == "CH" + "1" * 32


@pytest.mark.parametrize(
    ("payload", "lane"),
    [
        (f'{{"resource_sid":"{CALL}"}}', CALL),
        ('{"resource_sid":null}', "alone"),
        ('{"error_code":"11200"}', "alone"),
        ("not JSON", "alone"),
    ],
)
def test_lane_of_an_error(payload: str, lane: str) -> None:
    """Errors of one resource are in order; a handler that fails for one of them delays no other errors of the account."""
    assert ordering({"Sid": "NO1", "Level": "ERROR", "PayloadType": "application/json", "Payload": payload}) == lane


def test_container_is_no_resource() -> None:
    """Webhooks that share a service, a template or a trunk only, have nothing to do with each other."""
    for prefix in ("WA", "HX", "SD", "TK", "BN", "BU", "AD", "QU", "TC"):
        assert ordering({"SomeSid": prefix + "1" * 32}) == "alone"
        assert ordering({"ASid": prefix + "1" * 32, "BSid": CALL}) == CALL


def test_empty_error_url() -> None:
    """An error of the event itself, without the URL that failed, is content."""
    sent = {"GizmoSid": "GZ" + "1" * 32, "ErrorUrl": "", "ErrorCode": "1"}
    assert key_of(sent) != key_of(sent | {"ErrorCode": "2"})
    fallback = sent | {"ErrorUrl": "https://a.example.com"}
    assert key_of(fallback) == key_of(fallback | {"ErrorCode": "2"})


def test_token_is_told_from_the_rest_of_every_key() -> None:
    """Identities may contain the character before a token: a key has it only there."""
    email = {"message_sid": "a~b", "link": "c~d", "click_time": "e~f"}
    assert TOKEN_MARK not in key_of(email) + ordering(email)
    assert ordering(email) != ordering(email | {"message_sid": "a%7Eb"})
    for params in (dict(message(MessageSid="SM~1", From="client:~")), dict(studio(ExecutionSid="FN~1"))):
        assert TOKEN_MARK not in key_of(params) + ordering(params)
        assert key_of(params, "/~user", "t").removesuffix("~t").count("~") == 0
