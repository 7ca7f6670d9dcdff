"""The health checks of a service: each has a name, and passes or returns a problem."""

from collections.abc import Callable

Check = Callable[[], str | None]
"""Returns None if it passes, else the problem and its remedy in one line. Must not block."""

Warnings = Callable[[], list[str]]
"""Returns the warnings, each with its remedy in one line. Must not block."""


class Health:
    """The checks behind the three probes of Kubernetes.

    `live` fails if only a restart helps, `ready` if the service cannot work now, `startup` until it first can.
    `warnings` do not fail a probe.
    """

    def __init__(self) -> None:
        self.warnings: dict[str, Warnings] = {}
        self.live: dict[str, Check] = {}
        self.ready: dict[str, Check] = {}
        self._started = False
        self._stopping = False

    def stop(self) -> None:
        """Note that the service shuts down."""
        self._stopping = True

    def shutdown(self) -> str | None:
        """Return that the service shuts down, once it does. No more work must be sent to it."""
        return "shutting down" if self._stopping else None

    def startup(self) -> str | None:
        """Return None once the service has been ready, even if it no longer is."""
        if not self._started and not problems(self.ready):
            self._started = True
        return None if self._started else "not ready yet, see /readyz"


def problems(checks: dict[str, Check]) -> dict[str, str]:
    """Run `checks`; return the problem of each that failed."""
    return {name: problem for name, check in checks.items() if (problem := check()) is not None}
