"""Check that each app to which webhooks are forwarded is there, and with --send, that its validator accepts our signature."""

import asyncio
import secrets
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from hookline_cli.addresses import is_loopback
from hookline_cli.doctor.checks.event import SID_BEGINS
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.forward.trial import TrialError, attempt, outcome_of
from hookline_processor.settings import ProcessorSettings
from hookline_processor.testkit.deliver import make_event
from hookline_shared.forwards import Forward

_CHECK: Final = "forward"
_TIMEOUT_S: Final = 5.0
_PORTS: Final = {"http": 80, "https": 443}
_SIGNATURE: Final = (401, 403)
_WAITS: Final = "Webhooks for it wait in Redis, without using up attempts, until it is there."


async def check_forwards(subject: Subject) -> list[Finding]:
    """Connect to each app; with --send, send it the status of a message that does not exist."""
    settings = subject.processor
    if settings is None or not settings.forwards:
        return []
    found = _replies(settings)
    for forward in settings.forwards:
        if subject.send:
            found.append(await _try(forward, settings))
        elif subject.online or is_loopback(forward.origin):
            found.append(await _connect(forward))
        else:
            found.append(
                fine(_CHECK, f"{forward.origin} was not tested; add --online to connect, or --send to send it a status")
            )
    return found


def _replies(settings: ProcessorSettings) -> list[Finding]:
    if settings.sender.complete:
        return []
    return [
        warning(
            _CHECK,
            "there are no credentials to send what apps answer to messages",
            "Replies wait in the outbox.",
            "Set TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET for the processor.",
        )
    ]


async def _connect(forward: Forward) -> Finding:
    parts = urlsplit(forward.url)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or _PORTS[parts.scheme])
        writer.close()
    except (OSError, TimeoutError) as error:
        return _away(forward, str(error) or "no answer")
    return fine(_CHECK, f"{forward.path} goes to {forward.url}, where something listens; add --send to test the signature")


async def _try(forward: Forward, settings: ProcessorSettings) -> Finding:
    event = make_event("message.status", MessageSid=SID_BEGINS + secrets.token_hex(8))
    event = replace(event, target=forward.path, signer="token1")
    try:
        trial = await attempt(forward, event, settings.signing)
    except TrialError as error:
        return problem(_CHECK, f"{forward.path}: {error}", "No webhook can be forwarded to it.", "See docs/forwarding.md.")
    outcome = outcome_of(trial, event, settings.signing)
    if not outcome.problem:
        return fine(_CHECK, f"{forward.url} accepted the status of a test message in {trial.seconds * 1000:.0f} ms")
    if trial.answer is None:
        return _away(forward, outcome.problem)
    if trial.answer.status in _SIGNATURE:
        return problem(
            _CHECK,
            f"{forward.url} answered {trial.answer.status}: its validator probably refuses our signature",
            "It refuses every webhook. They are retried, and become dead letters.",
            "Give app and processor the same auth token, and let the app see the URL of the forward as its own; or set "
            'sign = "original". docs/forwarding.md has the details.',
        )
    return warning(
        _CHECK,
        f"{forward.url} did not accept the status of a test message: {outcome.problem}",
        "It may accept others: an app need not have a webhook for this path and kind.",
        "Try a webhook that it expects: hookline forward test.",
    )


def _away(forward: Forward, why: str) -> Finding:
    return problem(_CHECK, f"{forward.path} goes to {forward.url}, which cannot be reached: {why}", _WAITS, "Start the app.")
