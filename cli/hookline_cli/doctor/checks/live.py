"""Check live routes: what callers hear if there is no answer, and what "a deploy hangs up on nobody" needs."""

from collections.abc import Iterator
from typing import Final

from hookline_cli.doctor.finding import Finding, fine, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.number.twilio_numbers import NumberError, open_numbers
from hookline_cli.number.urls import OVERRIDES, findings
from hookline_ingress.settings import IngressSettings

_CHECK: Final = "live"


async def check_live(subject: Subject) -> list[Finding]:
    """Look at the live routes in the settings; with --online and credentials, at the URLs of Twilio's numbers as well."""
    settings = subject.ingress
    if settings is None:
        return []
    live = {one.path: bool(one.fallback) for one in settings.routes if one.live}
    live |= {one.path: bool(one.fallback) for one in settings.forwards if one.live}
    if not live:
        return []
    found = list(_fallbacks([path for path, has_fallback in live.items() if not has_fallback]))
    found.append(fine(_CHECK, f"live: {', '.join(live)}. Run two ingresses, and end URLs in Twilio with {OVERRIDES}"))
    if subject.online and subject.processor is not None and subject.processor.sender.complete:
        found += await _numbers(subject, settings)
    return found


def _fallbacks(live_paths: list[str]) -> Iterator[Finding]:
    if live_paths:
        yield warning(
            _CHECK,
            f"live without a fallback of its own: {', '.join(live_paths)}",
            "If there is no answer in time, callers hear a general apology, and the call ends.",
            'Set fallback = "<Response>...</Response>" for it in the TOML file; see docs/live.md.',
        )


async def _numbers(subject: Subject, settings: IngressSettings) -> list[Finding]:
    """Return what is wrong with the numbers that call ingress."""
    assert subject.processor is not None  # noqa: S101 - the caller has looked
    try:
        async with open_numbers(subject.processor.sender) as numbers:
            listed = await numbers.all()
    except NumberError as error:
        return [warning(_CHECK, f"Twilio's numbers are not known: {error}", "Their URLs were not checked.", "See above.")]
    lacking = [one.number for one in listed if any("lacks" in text for text in findings(one, settings.public_urls))]
    if not lacking:
        return [fine(_CHECK, f"all URLs of {len(listed)} numbers that call ingress end with {OVERRIDES}")]
    return [
        warning(
            _CHECK,
            f"numbers whose URLs lack {OVERRIDES}: {len(lacking)}",
            "Twilio does not repeat a request that fails, so an ingress that dies costs a call or a message.",
            "See which with hookline number show, and set them with hookline number point.",
        )
    ]
