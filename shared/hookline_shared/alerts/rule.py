"""What an alert is."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from hookline_shared.alerts.thresholds import Level, Threshold
from hookline_shared.alerts.units import Unit

RUNBOOK: Final = "docs/runbook.md"
"""The runbook's path in the repository, for those who have no copy of it at an address of their own."""


class Watcher(StrEnum):
    """The service that evaluates an alert."""

    INGRESS = "ingress"
    PROCESSOR = "processor"
    BOTH = "both"


class Impact(NamedTuple):
    """What an alert means for one sort of subject, and what to do: sentences for people."""

    meaning: str
    remedy: str


class Rule(NamedTuple):
    """One alert.

    `watches` describes its value; `per` is what it has one value for each of, for example "topic", empty if there is one value
    only. `happened`, `meaning` and `remedy` are sentences for people; `happened` is a format string with the fields `{value}`,
    `{threshold}`, `{subject}` and `{window}`. `falls` is true if low values are the bad ones. `critical` is the subject that is
    always critical, whatever the level of the others, also when an address follows its name. `impacts` has the meaning and the
    remedy of subjects for which `meaning` and `remedy` are not true.
    """

    name: str
    watcher: Watcher
    limit: Threshold
    unit: Unit
    watches: str
    happened: str
    meaning: str
    remedy: str
    per: str = ""
    falls: bool = False
    critical: str = ""
    impacts: Mapping[str, Impact] = MappingProxyType({})

    @property
    def section(self) -> str:
        """Return the heading, and thereby the anchor, of its section in the runbook."""
        return self.name.replace("_", "-")

    def runbook(self, base: str = RUNBOOK) -> str:
        """Return the address of its section, where `base` is the address or the path of the runbook."""
        return f"{base}#{self.section}"

    def impact_of(self, subject: str) -> Impact:
        """Return the meaning and the remedy for `subject`, by its first word: an address may follow a name."""
        return self.impacts.get(subject.partition(" ")[0], Impact(self.meaning, self.remedy))

    def limit_of(self, subject: str, limit: Threshold) -> Threshold:
        """Return `limit` as it applies to `subject`."""
        if self.critical and subject.partition(" ")[0] == self.critical:
            return msgspec.structs.replace(limit, level=Level.CRITICAL)
        return limit
