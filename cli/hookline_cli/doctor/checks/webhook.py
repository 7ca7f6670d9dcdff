"""Check that a signed webhook reaches the ingress that runs here, directly and through the public URL.

The webhook is a signed JSON array without elements, as Event Streams would send it without events. Ingress reads it, checks
its signature and answers. It contains no event, so nothing is stored and no handler runs.
"""

import time
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from hookline_cli.addresses import is_loopback
from hookline_cli.admin_address import AdminAddress, reachable
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.signing import WebhookRequest, sign_json
from hookline_cli.status.service_report import ask
from hookline_ingress.settings import IngressSettings

CHECK: Final = "webhook"
_EMPTY: Final = b"[]"
TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
"""As long as Twilio waits."""
_SLOW_S: Final = 0.5
_TRIED: Final = "an empty signed webhook, sent to"
_REFUSED: Final = "Ingress rejects webhooks signed with this token for this PUBLIC_URL, so it rejects all of Twilio's."
_NOT_OURS: Final = "Twilio's webhooks do not reach ingress this way."


class Answer(NamedTuple):
    """The status of an answer and how long it took, or why there was none."""

    status: int
    seconds: float
    trouble: str = ""


async def check_webhook(subject: Subject) -> list[Finding]:
    """Send a webhook to the ingress that runs here and to the public URLs on this machine, with `online` to all."""
    settings = subject.ingress
    if settings is None:
        return []
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        running = await _runs(settings)
        found = await _direct(session, settings) if running else [_not_running()]
        for url in settings.public_urls:
            found += await _public(session, settings, url, running=running, allowed=subject.online or is_loopback(url))
    return found


async def _runs(settings: IngressSettings) -> bool:
    report = await ask(AdminAddress("ingress", reachable(settings.admin_host), settings.admin_port), settings.admin_token)
    return report.role == "ingress" or report.refuses_token


def _not_running() -> Finding:
    text = "ingress is not running here, so no webhook was sent to it"
    return warning(
        CHECK,
        text,
        "It is unknown whether webhooks get through.",
        "Start it and run this again. To start everything: hookline up.",
    )


async def _direct(session: aiohttp.ClientSession, settings: IngressSettings) -> list[Finding]:
    base = local_base(settings)
    public = settings.public_urls[0]
    return list(_judge(base, await deliver(session, base, public, _empty_webhook(settings, public))))


async def _public(
    session: aiohttp.ClientSession, settings: IngressSettings, url: str, *, running: bool, allowed: bool
) -> list[Finding]:
    if not allowed:
        return [fine(CHECK, f"{url} was not tested; add --online to test it")]
    base = local_base(settings)
    if urlsplit(url).netloc == urlsplit(base).netloc or (is_loopback(url) and not (running and is_loopback(base))):
        return []  # tested already, or known not to answer: nothing runs here, or ingress is in another container
    return list(_judge(url, await deliver(session, url, url, _empty_webhook(settings, url))))


def _empty_webhook(settings: IngressSettings, base: str) -> WebhookRequest:
    return sign_json(f"{base}/twilio", _EMPTY, settings.auth_tokens[0].rpartition("=")[2])


def local_base(settings: IngressSettings) -> str:
    """Return the base URL of ingress on this machine, without a path."""
    return f"http://{AdminAddress('', reachable(settings.host), settings.port).place}"


async def deliver(session: aiohttp.ClientSession, base: str, public_url: str, request: WebhookRequest) -> Answer:
    """Send `request`, which was signed for `public_url`, to `base` instead."""
    target = request.url.removeprefix(public_url)
    started = time.perf_counter()
    try:
        async with session.post(f"{base}{target}", data=request.body, headers=request.headers, allow_redirects=False) as answer:
            await answer.read()
            return Answer(answer.status, time.perf_counter() - started)
    except TimeoutError:
        return Answer(
            0, time.perf_counter() - started, f"did not answer within {TIMEOUT.total:.0f} s, after which Twilio gives up"
        )
    except (aiohttp.ClientError, OSError, UnicodeError) as error:
        return Answer(0, 0.0, f"cannot be reached: {error}")


def _judge(base: str, answer: Answer) -> Iterator[Finding]:
    if answer.trouble:
        yield problem(
            CHECK, f"{base} {answer.trouble}", _NOT_OURS, "Check that it leads to ingress: DNS, TLS, proxy, firewall."
        )
    elif answer.status in (200, 204):
        yield fine(CHECK, f"{_TRIED} {base}, was verified in {answer.seconds * 1000:.1f} ms; nothing was stored")
        if answer.seconds > _SLOW_S:
            text = f"{base} took {answer.seconds:.1f} s to answer"
            yield warning(CHECK, text, "Twilio gives up after 15 s.", "Check the proxy and the load.")
    else:
        yield problem(CHECK, f"{_TRIED} {base}, was answered with {answer.status}", *_explained(answer.status))


def _explained(status: int) -> tuple[str, str]:
    if status == 403:  # noqa: PLR2004 - HTTP's
        return (
            _REFUSED,
            "Set the same TWILIO_AUTH_TOKEN and PUBLIC_URL for ingress and this command; restart ingress if they changed.",
        )
    if status == 503:  # noqa: PLR2004
        return "Ingress cannot accept webhooks now.", "See /readyz?verbose on its admin port."
    return _NOT_OURS, "Check that it leads to ingress with the path unchanged; another program may listen there."
