"""Two different requests under one signature never become two events, wherever the boundaries of the signed text move.

Twilio's own library accepts all of these requests: the text has no separators, and the method is not in it.
"""

from hashlib import sha256
from json import dumps
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict
from twilio.request_validator import RequestValidator

from hookline_ingress.http.request import Request
from hookline_ingress.signatures.secrets import parse_secrets
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring
from hookline_ingress.translation.event_keys import claim_of
from hookline_ingress.translation.translate import translate
from hookline_ingress.translation.webhook import decode
from hookline_shared.catalogue.kinds import KINDS
from hookline_shared.event import Event
from hookline_shared.partitions import partition_of
from tests.support.inbound.kinds import call, call_status, message, message_status, picture_message, unknown
from tests.support.inbound.resplits import moved, signed_text
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN, Params, Twilio, Webhook

KEYRING = Keyring(parse_secrets([TOKEN]), [PUBLIC_URL])
RECEIVED_AT = 1_750_000_000_000
WEBHOOKS = [message(), picture_message(), message_status(), call(), call_status(), unknown()]
TARGETS = ["/twilio", "/twilio?x=1", "/twilio?", "/twilio/message?AccountSid=AC1&"]


def accepted(webhook: Webhook) -> list[Event]:
    """Return the events of a request, none if ingress refuses it."""
    request = Request(webhook.method, webhook.target, CIMultiDict(webhook.headers), webhook.body, "", 0.0)
    try:
        decoded = decode(request, webhook.headers[SIGNATURE], RECEIVED_AT)
    except ValueError:
        return []
    signer = KEYRING.verify(decoded)
    return [one.event for one in translate(decoded, "token1", None)] if signer else []


def stored(requests: list[list[Event]]) -> list[Event]:
    """Return the events that Redis takes of those of several requests: see `claim_signature.lua` and `append.lua`."""
    claims: dict[str, str] = {}
    seen: dict[tuple[int, str], Event] = {}
    for event in (event for events in requests for event in events):
        if claims.setdefault(event.signed_text, event.claim) == event.claim:
            seen.setdefault((partition_of(event.key, 1 << 32), event.dedupe_key), event)
    return list(seen.values())


@given(st.sampled_from(WEBHOOKS), st.sampled_from(TARGETS), st.text(max_size=60), st.randoms(use_true_random=False))
def test_moved_boundaries_make_no_second_event(params: Params, target: str, more: str, chance: Random) -> None:
    """Names, values, URL and method are cut elsewhere, in text that the sender chose in part: it stays one event."""
    genuine = Twilio().webhook([*params, ("Note", more.encode(errors="replace").decode())], target)
    copies = [moved(genuine, chance) for _ in range(8)]
    assert {signed_text(copy) for copy in copies} == {signed_text(genuine)}
    in_order = [genuine, *copies] if chance.random() < 0.5 else [*copies, genuine]
    requests = [accepted(one) for one in in_order]
    assert accepted(genuine)
    assert len(stored(requests)) == 1


@given(st.text("From+1TobdySid=&", max_size=40), st.randoms(use_true_random=False))
def test_validator_of_twilio_accepts_what_is_moved(body: str, chance: Random) -> None:
    """What is refused here as a second event is no bad signature: Twilio's library cannot tell the copies apart."""
    genuine = Twilio().webhook(message(Body=body, MessageSid="SM" + "3" * 32))
    copy = moved(genuine, chance)
    approved = RequestValidator(TOKEN).validate(PUBLIC_URL + copy.target, MultiDict(copy.params), genuine.headers[SIGNATURE])
    if accepted(copy):
        assert approved


@given(st.lists(st.integers(), min_size=1, max_size=4), st.sampled_from(["", "?x=1"]), st.randoms(use_true_random=False))
def test_json_makes_no_form_and_no_get(numbers: list[int], query: str, chance: Random) -> None:
    """The elements of one body are its events; its URL without that body makes none, by no method and no type."""
    body = dumps([{"specversion": "1.0", "type": "t", "id": f"EZ{at}"} for at, _ in enumerate(numbers)]).encode()
    genuine = Twilio().json(body, f"/twilio/events{query}")
    copies = [moved(genuine, chance) for _ in range(8)] if genuine.params else []
    for method, content_type in (("GET", ""), ("POST", "application/x-www-form-urlencoded"), ("POST", "application/json")):
        headers = {**genuine.headers, "Content-Type": content_type}
        copies.append(Webhook(genuine.target, (), headers, b"", method))
    at = chance.randint(1, len(genuine.target) - 1)
    rest = genuine.target[at:]
    headers = {**genuine.headers, "Content-Type": "application/x-www-form-urlencoded"}
    copies.append(Webhook(genuine.target[:at], ((rest, ""),), headers, f"{rest.replace('=', '%3D')}=".encode()))
    events = stored([accepted(genuine), *map(accepted, copies)])
    assert [event.body for event in events] == [event.body for event in accepted(genuine)]


@pytest.mark.parametrize("name", ["/voiceAccountSid", "?x", "=1", "&x=1", "#", "a=b", "a\n", ""])
def test_piece_of_a_url_is_no_name(name: str) -> None:
    """A right signature over a parameter with a name that Twilio does not make may be one over another path. If it is genuine,
    the log tells what to do."""
    webhook = Twilio().webhook([(name, "1")])
    assert not accepted(webhook)
    request = Request("POST", webhook.target, CIMultiDict(webhook.headers), webhook.body, "", 0.0)
    assert "name of a parameter" in str(KEYRING.cause(decode(request, "x", 0)))


@pytest.mark.parametrize("name", ["AccountSid", "factor_sid", "MediaUrl0", "SipHeader_X-Id", "a[0].b", "first name", "größe"])
def test_names_of_twilio_and_of_users_are_accepted(name: str) -> None:
    """Whatever the user has called a parameter in Studio, and whatever Twilio adds next year."""
    assert accepted(Twilio().webhook([(name, "1")]))


def test_text_with_the_hash_of_a_body_verifies_no_body() -> None:
    """A message may have the hash of some JSON in its text: that must not become a part of the URL."""
    body = dumps({"specversion": "1.0", "type": "t", "id": "EZ1"}).encode()
    text = f"hi&bodySHA256={sha256(body).hexdigest()}"
    for end in ("&", "", "x"):
        genuine = Twilio().webhook(message(Body=text + end), "/twilio?x=1")
        headers = {**genuine.headers, "Content-Type": "application/json"}
        copy = Webhook(signed_text(genuine), (), headers, body)
        assert accepted(genuine)
        assert not accepted(copy)


def test_keys_of_other_cuts_are_other_claims() -> None:
    """The sender chooses where a dedupe key ends and an ordering key begins, if both have its text."""
    genuine = Twilio().webhook(message())
    request = Request("POST", genuine.target, CIMultiDict(genuine.headers), genuine.body, "", 0.0)
    webhook = decode(request, "x", RECEIVED_AT)
    cuts = [(text[:at], text[at:]) for text in ("SM1 q q +1", "1:a1:b") for at in range(len(text))]
    cuts += [("SM1", "q +1"), ("SM1 q", "+1")]
    claims = {claim_of(KINDS["message.received"], webhook, dedupe, ordering) for dedupe, ordering in cuts}
    assert len(claims) == len(cuts)


@pytest.mark.parametrize("sid", ["SM1", "SM" + "a" * 33, "SM" + "g" * 32, "SM" + "a" * 32 + " q"])
def test_text_of_the_sender_is_no_sid(sid: str) -> None:
    """Only a SID identifies a message, anything else is content: else whoever writes the text would choose the key."""
    (one,) = accepted(Twilio().webhook(message(MessageSid=sid)))
    assert sid not in one.dedupe_key
    (other,) = accepted(Twilio().webhook(message(MessageSid=sid, Body="another")))
    assert other.dedupe_key != one.dedupe_key


def test_key_is_made_of_a_sid_alone() -> None:
    """What follows a SID because the text was cut behind it is no part of a key: the content identifies such an event."""
    whole = "SM" + "3" * 32
    (genuine,), (cut,) = (
        accepted(Twilio().webhook([*message(MessageSid=sid, Body="x")])) for sid in (whole, f"{whole}NumMedia0")
    )
    assert genuine.dedupe_key.endswith(f":{whole}")
    assert whole not in cut.dedupe_key
