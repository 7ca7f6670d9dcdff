"""An alert of a service, as its `/readyz?verbose` shows it. Pure."""

import re
from typing import Final, NamedTuple

CHECK: Final = "alert"
"""What the lines of alerts are headed with."""

_LINE: Final = re.compile(
    r"(?P<name>\w+)(?: (?P<subject>.+?))? \((?P<level>warning|critical)\) since (?P<since>\S+): (?P<text>.*)", re.DOTALL
)


class ServiceAlert(NamedTuple):
    """A raised alert. `subject` is empty if there is only one of its kind, `since` is in UTC."""

    name: str
    level: str
    subject: str
    since: str
    text: str

    @property
    def title(self) -> str:
        """What it is, and of what."""
        return f"{self.name} {self.subject}".rstrip()


def parse_alert(text: str) -> ServiceAlert | None:
    """Read what follows the heading; None if that is no alert."""
    found = _LINE.fullmatch(text)
    return ServiceAlert(**{name: value or "" for name, value in found.groupdict().items()}) if found else None
