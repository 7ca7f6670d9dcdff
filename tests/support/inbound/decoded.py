"""Webhooks as ingress has decoded them, made of their parts."""

from collections.abc import Collection, Mapping

from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.signatures.twilio import SIGNATURE
from hookline_ingress.translation.form_shape import shape_of
from hookline_ingress.translation.webhook import Webhook
from hookline_shared.parsing.forms import EMPTY, form_of

RECEIVED_AT = 1_750_345_200_611
NO_HEADERS: Mapping[str, str] = {}


def decoded_form(
    params: Collection[tuple[str, str]],
    target: str = "/twilio",
    headers: Mapping[str, str] = NO_HEADERS,
    account: str | None = None,
) -> Webhook:
    """Return the webhook of a form with these parameters. `account` is another one than they name."""
    form = form_of(params)
    named = form.params.get("AccountSid") or form.params.get("account_sid", "")
    request = Request("POST", target, CIMultiDict(headers), b"", peer="", began=0.0)
    rest = target.partition("?")[2].encode()
    signature = headers.get(SIGNATURE, "")
    shape = shape_of(tuple(form.params))
    account = named if account is None else account
    return Webhook(request, RECEIVED_AT, signature, account, b"", "", form.params, form, rest, signed=form, shape=shape)


def decoded_json(params: Mapping[str, str], rest: bytes) -> Webhook:
    """Return the webhook of a JSON object with these members, whose other content is `rest`."""
    request = Request("POST", "/twilio", CIMultiDict(), b"", peer="", began=0.0)
    return Webhook(request, RECEIVED_AT, "", params.get("AccountSid", ""), b"", "", params, EMPTY, rest)
