"""The subject of `hookline doctor` in tests, and its findings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hookline_cli.doctor.finding import Finding, Level
from hookline_cli.doctor.subject import Subject
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.settings.base import SharedSettings
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN

_REQUIRED = {"PUBLIC_URL": PUBLIC_URL, "TWILIO_AUTH_TOKEN": TOKEN}


def subject(settings: Mapping[str, object], *, online: bool = False, send: bool = False) -> Subject:
    """Return what is examined if all that is set are `settings` and what is required."""
    whole = _REQUIRED | dict(settings)
    shared, ingress, processor = (one.load(whole) for one in (SharedSettings, IngressSettings, ProcessorSettings))
    assert isinstance(ingress, IngressSettings)
    assert isinstance(processor, ProcessorSettings)
    return Subject(shared, ingress, processor, online=online, send=send)


def wrongs(found: Sequence[Finding]) -> list[tuple[Level, str]]:
    """Return level and text of each warning and problem. Each has a meaning and a remedy."""
    bad = [finding for finding in found if finding.level is not Level.OK]
    assert all(finding.meaning and finding.remedy for finding in bad)
    assert not any(finding.meaning or finding.remedy for finding in found if finding not in bad)
    return [(finding.level, finding.found) for finding in bad]


def the_wrong(found: Sequence[Finding]) -> tuple[Level, str]:
    """Return the only warning or problem."""
    (wrong,) = wrongs(found)
    return wrong


def module(folder: Path, name: str, text: str) -> str:
    """Write a module of handlers; return where its Handlers are."""
    (folder / f"{name}.py").write_text(text)
    return f"{name}:handlers"
