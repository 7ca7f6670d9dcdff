"""Evaluates the alerts of a service, once a second, and reports the ones that start firing and the ones that are resolved.

Reports go to the log, to a metric, to `/readyz?verbose` and to ALERT_URL. The service's own work never waits for them.
"""

from collections.abc import Mapping
from typing import Final

from aiojobs import Job

from hookline_shared.alerts.hysteresis import Alerts, Change, no_cause
from hookline_shared.alerts.measures import Measure, causes
from hookline_shared.alerts.notifier import Notifier
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.alerts.thresholds import Level
from hookline_shared.alerts.wording import as_fields, one_line
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.metrics import ALERT

_TASK: Final = "alerts"


class AlertWatcher:
    """Evaluates `measures`, by the name of the alert, of the service `service`. Alerts that are not enabled are left out."""

    def __init__(
        self, settings: AlertSettings, service: str, measures: Mapping[str, Measure], clock: Clock, logger: Logger
    ) -> None:
        limits = self._limits = settings.limits
        self._measures = {name: measure for name, measure in measures.items() if limits[name].enabled}
        self._causes = causes()
        self._alerts = Alerts(limits, settings.runbook_url)
        self._notifier = Notifier(settings, service, clock, logger) if settings.url else None
        self._interval_s = settings.interval_s
        self._clock = clock
        self._logger = logger
        self._broken: set[str] = set()
        self._shown: set[tuple[str, str]] = set()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, admin_port: int) -> None:
        """Start evaluating. `admin_port` identifies this process among those of the machine."""
        if self._notifier is not None:
            await self._notifier.start(supervisor, admin_port)
        self._job = await supervisor.spawn(_TASK, self._run())

    async def stop(self) -> None:
        """Stop evaluating, and send what is left to ALERT_URL."""
        if self._job is not None:
            await self._job.close()
        if self._notifier is not None:
            await self._notifier.stop()

    def warnings(self) -> list[str]:
        """Return the alerts that are firing, one line each."""
        return [one_line(change) for change in self._alerts.raised()]

    def evaluate(self) -> None:
        """Evaluate all alerts once."""
        for name, measure in self._measures.items():
            try:
                self._evaluate(name, measure)
            except Exception as error:  # noqa: BLE001 - the others are still evaluated
                self._note_mistake(name, error)
                self._alerts.interrupt(name)
            else:
                self._broken.discard(name)
        self._show()

    async def _run(self) -> None:
        while True:
            try:
                self.evaluate()
            except Exception as error:  # noqa: BLE001 - a mistake in the alerts must not stop the service
                self._note_mistake(_TASK, error)
            await self._clock.sleep(self._interval_s)

    def _evaluate(self, name: str, measure: Measure) -> None:
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        values = measure(now)
        if values is None:
            self._alerts.interrupt(name)
            return
        for change in self._alerts.observe(name, values, now, now_ms, self._causes.get(name, no_cause)):
            self._report(change)

    def _note_mistake(self, name: str, error: Exception) -> None:
        """Log a mistake of ours, once until it is gone."""
        if name not in self._broken:
            self._broken.add(name)
            self._logger.error("an alert cannot be evaluated", alert=name, exc_info=error)

    def _report(self, change: Change) -> None:
        fields = as_fields(change)
        if change.raised:
            log = self._logger.error if change.limit.level is Level.CRITICAL else self._logger.warning
            log("alert firing", **fields)
        else:
            log = self._logger.info
            log(
                "alert resolved",
                **{name: fields[name] for name in ("alert", "subject", "severity", "value", "threshold", "since")},
            )
        if self._notifier is not None:
            self._notifier.put(change)

    def _show(self) -> None:
        watched = set(self._alerts.subjects())
        raised = {(change.rule.name, change.subject) for change in self._alerts.raised()}
        for name, subject in watched:
            ALERT.labels(name, self._level(name, subject), subject).set((name, subject) in raised)
        for name, subject in self._shown - watched:
            ALERT.remove(name, self._level(name, subject), subject)
        self._shown = watched

    def _level(self, name: str, subject: str) -> str:
        return RULES[name].limit_of(subject, self._limits[name]).level.value
