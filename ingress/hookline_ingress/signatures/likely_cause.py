"""Why a genuine signature may be refused: variants of the called URL for which it would be valid. Pure.

Nothing is accepted for a variant. It only tells the operator what is wrong between Twilio and ingress.
Sources: https://github.com/twilio/twilio-php/issues/790 (order of the query),
https://www.twilio.com/docs/usage/security#a-few-notes (trailing slash, port),
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides (the fragment).
"""

from collections.abc import Iterable, Iterator
from itertools import islice, permutations
from typing import Final
from urllib.parse import quote, unquote

from hookline_ingress.signatures.twilio import Verifier, with_and_without_port
from hookline_ingress.translation.webhook import Webhook

_MOST_ORDERS: Final = 120
"""Orders of the parameters in a query that are tried: all of five."""
_MOST_PARTS: Final = 20
_LARGEST: Final = 4096
"""Bytes of body and target above which nothing is tried."""
_MOST_COMPUTATIONS: Final = 1000
"""Signatures that are computed; one of 4 KiB takes 5 µs. It is enough for one token, three public URLs and all variants."""
_FRAGMENTS: Final = ("#rc=3&rp=all", "#rc=2", "#rc=3", "#rc=5")
_SCHEMES: Final = {"https": "http", "http": "https"}


def likely_cause(verifier: Verifier, webhook: Webhook, bases: Iterable[str], forwarded: str) -> str | None:
    """Return why the signature of `webhook` is refused, a sentence, or None if no known variant of its URL makes it valid.

    `bases` are the public URLs, `forwarded` is the one that a trusted proxy was called with, or empty. It takes a few
    milliseconds at the most, since anybody can send a request with a wrong signature.
    """
    target = webhook.request.target
    if len(webhook.request.body) + len(target) > _LARGEST:
        return None
    called = dict.fromkeys(form for base in (*bases, forwarded) if base for form in with_and_without_port(base))
    causes: dict[str, str] = {}
    for base in called:
        scheme, _, rest = base.partition("://")
        causes.setdefault(
            f"{_SCHEMES[scheme]}://{rest}{target}", f"Twilio calls {_SCHEMES[scheme]}, but PUBLIC_URL has {scheme}."
        )
    for cause, variant in _variants(target):
        if variant != target:
            for base in called:
                causes.setdefault(base + variant, cause)
    found = verifier.valid_url(webhook, causes, _MOST_COMPUTATIONS)
    return None if found is None else causes[found]


def _variants(target: str) -> Iterator[tuple[str, str]]:
    path, mark, query = target.partition("?")
    yield "The URL at Twilio ends with a slash that is missing here: a proxy removes it.", f"{path}/{mark}{query}"
    yield "The path has a slash at its end that Twilio did not sign: a proxy adds it.", f"{path.rstrip('/')}{mark}{query}"
    yield "A ? at the end of the URL is lost on the way.", f"{target}?"
    yield "A ? was added to the end of the URL on the way.", target.removesuffix("?")
    escaped = "An apostrophe in the URL is escaped differently than Twilio signed it. Avoid apostrophes in callback URLs."
    yield escaped, target.replace("'", "%27")
    yield escaped, target.replace("%27", "'")
    decoded = "The URL is decoded or encoded again on the way: a proxy must pass it on as it is."
    yield decoded, unquote(target)
    yield decoded, quote(unquote(target), safe="/?&=:@!$'()*+,;-._~")
    yield decoded, f"{path}{mark}{query.replace('+', '%20')}"
    yield decoded, f"{path}{mark}{query.replace('%20', '+')}"
    yield decoded, f"{path}{mark}{query.replace('+', '%2B')}"
    fragment = "The fragment of the URL (#rc=…) is escaped at Twilio. Write # and not %23."
    yield fragment, target.partition("%23")[0]
    yield from ((f"Twilio signed the fragment {one}, which it should not. Leave it out.", target + one) for one in _FRAGMENTS)
    order = "The parameters in the query come in another order than Twilio signed them: a proxy sorts them."
    parts = query.split("&")
    for arranged in islice(permutations(parts), _MOST_ORDERS) if len(parts) <= _MOST_PARTS else ():
        yield order, f"{path}{mark}{'&'.join(arranged)}"
