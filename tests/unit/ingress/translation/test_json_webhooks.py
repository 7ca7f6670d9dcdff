"""JSON webhooks: which account one claims, and that nothing else is decoded before the signature is verified."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import json
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.translation import webhook as module
from hookline_ingress.translation.webhook import claimed_account, decode, decode_sendgrid, members
from hookline_shared.catalogue.sids import ACCOUNT_NAMES, account_of
from hookline_shared.parsing.json_body import decode_json
from hookline_shared.parsing.multipart import parse_multipart

ACCOUNT, OTHER = "AC" + "0" * 32, "AC" + "1" * 32

names = st.sampled_from([*ACCOUNT_NAMES, "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=4) | values)
@example({"AccountSid": None, "account_sid": ACCOUNT})
@example({"AccountSid": "", "account_sid": ACCOUNT})
@example({"account_id": "7", "AccountSid": ACCOUNT})
@example({"AccountSid": ACCOUNT + "0" * 300, "accountId": OTHER})
def test_claim_is_that_of_the_members(value: object) -> None:
    """The account by which secrets are chosen is the one that handlers see."""
    body = json.encode(value)
    decoded = members(body)
    assert claimed_account(body) == account_of(decoded)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[{}]", b'{"AccountSid":}', b'{"AccountSid":"\xff"}', b"[" * 100_000, b'{"x":' * 100_000]
)
def test_no_claim(body: bytes) -> None:
    """What is no JSON object names no account, and is no error."""
    assert claimed_account(body) == ""
    assert dict(members(body)) == {}


@pytest.mark.parametrize(
    "value", ["A" * 1000, "ü" * 1000, ["A"] * 1000, {"A": "B" * 1000}], ids=["text", "not ASCII", "list", "object"]
)
def test_long_claim_is_no_account(value: object) -> None:
    """What is far too long for an account is not decoded, and is none: another spelling counts, as it does for handlers."""
    assert claimed_account(json.encode({"AccountSid": value})) == ""
    assert claimed_account(json.encode({"AccountSid": value, "account_sid": ACCOUNT})) == ACCOUNT


def test_last_of_two_claims_counts() -> None:
    """A member that stands there twice has one value, the same for both ways of reading it."""
    body = b'{"AccountSid":"%s","AccountSid":"%s"}' % (ACCOUNT.encode(), OTHER.encode())
    assert claimed_account(body) == members(body)["AccountSid"] == OTHER


def test_body_is_not_decoded_before_it_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding a webhook decodes no more than its account; its members are decoded once they are asked for, and once only."""
    decoded: list[int] = []

    def counting(body: bytes) -> object:
        decoded.append(len(body))
        return decode_json(body)

    monkeypatch.setattr(module, "decode_json", counting)
    body = json.encode({"AccountSid": ACCOUNT, "x": ["y"] * 10_000})
    request = Request("POST", "/twilio", CIMultiDict({"Content-Type": "application/json"}), body, "", 0.0)
    webhook = decode(request, "signature", 0)
    assert webhook.account == ACCOUNT
    assert sum(decoded) < 100
    assert webhook.params["AccountSid"] == ACCOUNT
    assert len(webhook.params) == 2
    assert decoded.count(len(body)) == 1


def test_multipart_is_not_parsed_before_it_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields of a multipart body are parsed once they are asked for. They name no account."""
    parsed: list[int] = []

    def counting(body: bytes, boundary: bytes) -> dict[str, str]:
        parsed.append(len(body))
        return parse_multipart(body, boundary)

    monkeypatch.setattr(module, "parse_multipart", counting)
    body = f'--x\r\nContent-Disposition: form-data; name="AccountSid"\r\n\r\n{ACCOUNT}\r\n--x--'.encode()
    request = Request("POST", "/sendgrid", CIMultiDict({"Content-Type": "multipart/form-data; boundary=x"}), body, "", 0.0)
    webhook = decode_sendgrid(request, "signature", 0)
    assert (webhook.account, parsed) == ("", [])
    assert webhook.params["AccountSid"] == ACCOUNT
    assert len(webhook.params) == len(parsed) == 1
