"""Check the settings, and whether the tokens and the public URL look valid."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from hookline_cli.addresses import is_public
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.settings.rows import Sources, ignored, problems, variables

_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_SID: Final = re.compile(r"(AC|SK)[0-9a-fA-F]{32}")
_SIDS: Final = {"AC": "an account SID", "SK": "the SID of an API key"}
_CHECK: Final = "settings"
_TOKENS: Final = "tokens"
_URL: Final = "public url"


async def check_settings(subject: Subject) -> list[Finding]:
    """Check all settings."""
    return [*_mistakes(subject), *_unknown_names(subject), *_tokens(subject), *_public_urls(subject)]


def _mistakes(subject: Subject) -> Iterator[Finding]:
    of = {service: problems([service], subject.adopted) for service in ("ingress", "processor")}
    for mistake in dict.fromkeys([*of["ingress"], *of["processor"]]):
        services = " and ".join(service for service, own in of.items() if mistake in own)
        yield problem(_CHECK, mistake, f"{services} will not start.", "Fix it; hookline config shows what is set, and where.")
    for service, own in of.items():
        if not own:
            yield fine(_CHECK, f"all settings of {service} are valid")


def _unknown_names(subject: Subject) -> Iterator[Finding]:
    for line in Sources.now(subject.adopted).unknown_names(variables()):
        yield warning(_CHECK, line, "Nothing reads it, so it has no effect.", "Correct the name, or remove it.")
    for one in ignored(subject.adopted):
        yield warning(_CHECK, one, "Without HOOKLINE_LEDGER_URL there is no ledger.", "Set it, to nothing if none is wanted.")


def _tokens(subject: Subject) -> Iterator[Finding]:
    tokens = subject.ingress.auth_tokens if subject.ingress else ()
    odd = list(_odd_tokens([token.rpartition("=")[2] for token in tokens]))
    yield from odd
    if tokens and not odd:
        yield fine(_TOKENS, f"{len(tokens)} of 32 hexadecimal digits, the form of Twilio's tokens")


def _odd_tokens(tokens: list[str]) -> Iterator[Finding]:
    remedy = "Copy the auth token from the Twilio console into TWILIO_AUTH_TOKEN."
    for position, token in enumerate(tokens, start=1):
        if _SID.fullmatch(token):
            found = f"number {position} in TWILIO_AUTH_TOKEN is {_SIDS[token[:2]]}, not a token"
            yield problem(_TOKENS, found, "No webhook is signed with it, so all are rejected.", remedy)
        elif not _TOKEN.fullmatch(token):
            found = f"number {position} in TWILIO_AUTH_TOKEN is not 32 hexadecimal digits in lower case"
            yield warning(_TOKENS, found, "Twilio's tokens are, so all webhooks may be rejected.", remedy)


def _public_urls(subject: Subject) -> Iterator[Finding]:
    for url in subject.ingress.public_urls if subject.ingress else ():
        yield _public_url(url)


def _public_url(url: str) -> Finding:
    parts = urlsplit(url)
    if not is_public(url):
        meaning = "Twilio cannot reach it. It is only for tests on this machine or network."
        return warning(_URL, f"{url} is not a public address", meaning, "Set PUBLIC_URL to the URL that Twilio calls.")
    if "twilio" in parts.path.rsplit("/", 1)[-1]:
        meaning = f"Ingress expects webhooks at {url}/twilio, and checks signatures against that URL."
        return warning(_URL, f"{url} ends with the path of a webhook", meaning, "Set PUBLIC_URL to the part before /twilio.")
    if parts.scheme == "http":
        meaning = "Numbers, texts and signatures cross the internet unencrypted."
        return warning(
            _URL,
            f"{url} does not use TLS",
            meaning,
            "Put a proxy with TLS in front of ingress, and set PUBLIC_URL to its https URL.",
        )
    return fine(_URL, url)
