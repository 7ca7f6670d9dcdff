"""What a service says of itself to whoever asks: named checks, each fine or with a problem in words."""

from collections.abc import Callable

Check = Callable[[], str | None]
"""Gives None when all is well, else the problem and its remedy in one line. Must not wait for anything."""

Warnings = Callable[[], list[str]]
"""Gives what is no problem yet, each with its remedy in one line. Must not wait for anything."""


class Health:
    """The checks behind the three probes of Kubernetes.

    `live` fails when only a restart helps, `ready` when the service cannot do its job now, `startup` until it first could.
    `warnings` fail nothing, but should be read.
    """

    def __init__(self) -> None:
        self.warnings: dict[str, Warnings] = {}
        self.live: dict[str, Check] = {}
        self.ready: dict[str, Check] = {}
        self._started = False

    def startup(self) -> str | None:
        """Return None once the service has been ready, for ever after."""
        if not self._started and not problems(self.ready):
            self._started = True
        return None if self._started else "not ready yet, see /readyz"


def problems(checks: dict[str, Check]) -> dict[str, str]:
    """Run `checks` and give the problem of each that failed."""
    return {name: problem for name, check in checks.items() if (problem := check()) is not None}
