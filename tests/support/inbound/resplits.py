"""Requests with the signed text of a genuine webhook: its boundaries, method and path moved, under the same signature."""

from dataclasses import replace
from random import Random
from urllib.parse import urlencode

from tests.support.inbound.webhooks import FORM, Webhook


def signed_text(webhook: Webhook) -> str:
    """Return what the signature of `webhook` covers, without the base URL."""
    return webhook.target + "".join(name + value for name, value in sorted(webhook.params))


def moved(webhook: Webhook, chance: Random) -> Webhook:
    """Return a request with the signed text of `webhook`, a form POST, and other boundaries in it."""
    target, params = webhook.target, _split(_merged(sorted(webhook.params), chance), chance)
    if chance.random() < 0.2:  # the first parameters become a part of the URL
        count = chance.choice([1, 2, len(params)])
        target, params = target + "".join(map("".join, params[:count])), params[count:]
    elif chance.random() < 0.1:  # a part of the URL becomes a parameter
        cut = chance.randint(1, len(target) - 1)
        target, params = target[:cut], _in_order([(target[cut:], ""), *params])
    if not params and chance.random() < 0.5:
        headers = {name: value for name, value in webhook.headers.items() if name != "Content-Type"}
        return replace(webhook, target=target, params=(), headers=headers, body=b"", method="GET")
    headers = {**webhook.headers, "Content-Type": FORM}
    return replace(webhook, target=target, params=tuple(params), headers=headers, body=urlencode(params).encode())


def _merged(params: list[tuple[str, str]], chance: Random) -> list[tuple[str, str]]:
    """Return parameters of which some became a part of the value before."""
    kept = params[:1]
    merges = chance.choice([0, 0.05, 0.3, 1])
    for name, value in params[1:]:
        if chance.random() < merges:
            kept[-1] = (kept[-1][0], kept[-1][1] + name + value)
        else:
            kept.append((name, value))
    return kept


def _split(params: list[tuple[str, str]], chance: Random) -> list[tuple[str, str]]:
    """Return parameters of which some values were divided, into a value and one more parameter."""
    found = list(params)
    for _ in range(chance.choice([0, 1, 3])):
        at = chance.randrange(len(found))
        name, value = found[at]
        start, end = sorted((chance.randint(0, len(value)), chance.randint(0, len(value))))
        after = found[at + 1][0] if at + 1 < len(found) else "\U0010ffff"
        if name < value[start:end] < after:
            found[at : at + 1] = [(name, value[:start]), (value[start:end], value[end:])]
    return found


def _in_order(params: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return `params`, or if their order is not that of the names a single one with all of their text."""
    return params if params == sorted(params) else [("".join(map("".join, params)), "")]
