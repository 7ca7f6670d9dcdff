"""An alert of a service, as in its `/readyz?verbose`. Pure."""

import re
from typing import Final, NamedTuple

CHECK: Final = "alert"
"""The name of the check with which the lines of alerts start."""

_LINE: Final = re.compile(
    r"(?P<name>\w+)(?: (?P<subject>.+?))? \((?P<level>warning|critical)\) since (?P<since>\S+): (?P<text>.*)", re.DOTALL
)


class ServiceAlert(NamedTuple):
    """A firing alert. `subject` is empty if the alert has one value only; `since` is in UTC."""

    name: str
    level: str
    subject: str
    since: str
    text: str

    @property
    def title(self) -> str:
        """The alert's name and its subject."""
        return f"{self.name} {self.subject}".rstrip()


def parse_alert(text: str) -> ServiceAlert | None:
    """Return the alert in `text`, the line after the name of the check, or None if it is not one."""
    found = _LINE.fullmatch(text)
    return ServiceAlert(**{name: value or "" for name, value in found.groupdict().items()}) if found else None
