"""Keys that would be too long, routes that decide the kind, and parameters that nobody expects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_ingress.translation import event_keys as keys
from hookline_shared import topics
from hookline_shared.catalogue.kinds import classify
from hookline_shared.catalogue.products.messaging import MESSAGE_RECEIVED
from hookline_shared.catalogue.products.streams import STUDIO, UNKNOWN
from hookline_shared.catalogue.products.voice import CALL_RECEIVED, CALL_STATUS
from hookline_shared.catalogue.sids import ACCOUNT_NAMES, account_of
from tests.support.inbound.case import Case
from tests.support.inbound.catalogue_cases import CASES
from tests.support.inbound.decoded import decoded_form
from tests.support.inbound.event_keys import dedupe, ordering
from tests.support.inbound.kinds import (
    ACCOUNT,
    call_status,
    message,
    unknown,
)


@pytest.mark.parametrize("case", [case for case in CASES.values() if case.dedupe is not None])
def test_overlong_keys_are_bounded(case: Case) -> None:
    """However long what a request contains is, keys stay short, and different ones stay different."""
    assert case.dedupe is not None
    for part in {*case.dedupe.split(":")[2:]} & {value for _, value in case.params if value}:
        odd = [tuple((name, "x" * n if value == part else value) for name, value in case.params) for n in (60_000, 60_001)]
        assert all(len(key(params)) <= 200 for params in odd for key in (dedupe, ordering))
        assert dedupe(odd[0]) != dedupe(odd[1])


def test_overlong_conversation_is_bounded() -> None:
    """Absurd numbers make a bounded ordering key that still tells conversations apart."""
    keys = {ordering(message(From="+1" * length)) for length in (1000, 1001)}
    assert len(keys) == 2
    assert all(len(key) <= 200 for key in keys)


def test_route_decides_only_what_is_not_told() -> None:
    """A webhook sent to the wrong route is still taken for what it is; one that does not tell is taken for the route's kind."""
    assert classify(dict(message()), CALL_STATUS) is MESSAGE_RECEIVED
    assert classify(dict(call_status()), CALL_RECEIVED) is CALL_STATUS
    assert classify(dict(message()), MESSAGE_RECEIVED) is MESSAGE_RECEIVED
    assert classify(dict(unknown()), STUDIO) is STUDIO
    assert classify(dict(unknown())) is UNKNOWN


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)

names = st.sampled_from(
    sorted({name for case in CASES.values() for name, _ in case.params} | {"MapSid", "StreamSid", "EventId"})
)


@given(st.dictionaries(names | texts, texts | st.just("call-progress-events") | st.just("received"), max_size=12))
def test_any_parameters_have_a_kind_and_keys(params: dict[str, str]) -> None:
    """No verified webhook, however odd, is without a kind or breaks the making of keys."""
    kind = classify(params)
    facts = decoded_form(params.items())
    assert kind.topic in topics.DEFAULT_TOPICS
    assert 0 < len(keys.dedupe_key(kind, kind.name_of(params), facts)) <= 200
    assert len(keys.ordering_key(kind, facts, "alone")) <= 200


@pytest.mark.parametrize("value", ["7", "AC1", ACCOUNT.lower(), f"{ACCOUNT}0", f"{ACCOUNT}\n", "CA" + "1" * 32, "x" * 60_000])
@pytest.mark.parametrize("name", ACCOUNT_NAMES)
def test_what_is_no_account(name: str, value: str) -> None:
    """A parameter that is called like an account, as in a Studio flow, is an account only if its value is the SID of one."""
    assert account_of({name: value}) == ""
    assert account_of({name: value, "interactionAccountSid": ACCOUNT} | {"account_id": ACCOUNT}) == ACCOUNT
