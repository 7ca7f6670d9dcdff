"""The health checks and warnings of ingress: what it can do while Redis or the spool cannot be used."""

from typing import Final

from hookline_ingress.spool.drain import Drain
from hookline_ingress.spool.spool import Spool
from hookline_shared.observability.health import Health
from hookline_shared.redis.monitor import Monitor

_NEARLY_FULL: Final = 0.8
"""Share of the spool that is in use."""


class HealthChecks:
    """The checks of Redis, which `redis` watches, and of the spool, which is None if there is none."""

    def __init__(self, redis: Monitor, spool: Spool | None, drain: Drain | None) -> None:
        self._redis = redis
        self._spool = spool
        self._drain = drain

    def add_to(self, health: Health) -> None:
        """Add the checks and warnings to `health`."""
        health.ready["redis"] = self.check_redis
        health.warnings["redis"] = self.redis_warnings
        health.warnings["spool"] = self.spool_warnings

    def check_redis(self) -> str | None:
        """Return why ingress is not ready, None if it is.

        Redis may be down while the spool has room. But it must have been reached once, so that an ingress with a wrong
        REDIS_URL does not replace one that works.
        """
        if self._spool_replaces_redis():
            return None
        problem = self._redis.check()
        if problem and self._spool is not None and self._spool.problem:
            return f"Webhooks are refused with a 503. {problem} And the spool accepts no more events: {self._spool.problem}."
        return problem

    def redis_warnings(self) -> list[str]:
        """Return the current problems with Redis, one text each."""
        problem = self._redis.check() if self._spool_replaces_redis() else None
        found = self._redis.warnings()
        return [f"{problem} Webhooks go to the spool.", *found] if problem else found

    def spool_warnings(self) -> list[str]:
        """Return the current problems with the spool, one text each."""
        if self._spool is None:
            return ["There is no spool: while Redis is down, webhooks get a 503. Set INGRESS_SPOOL_PATH."]
        found = [f"The spool accepts no more events: {self._spool.problem}."] if self._spool.problem else []
        if self._spool.fill >= _NEARLY_FULL:
            found.append(
                f"The spool is {self._spool.fill:.0%} full; once it is full, webhooks get a 503. See INGRESS_SPOOL_MAX_MB."
            )
        if self._spool.unreadable:
            found.append(f"{self._spool.unreadable} unreadable events were set aside in the spool: see the log.")
        if self._spool.unremoved:
            found.append(
                f"{self._spool.unremoved} events that Redis has already cannot be deleted from the spool's disk yet. They are "
                "not delivered again, unless ingress is restarted after INGRESS_DEDUPE_WINDOW_S."
            )
        if self._spool.events:
            obstacle = self._redis.check() or (self._drain and self._drain.obstacle)
            found.append(f"{self._spool.events} events wait in the spool: {obstacle or 'being drained'}")
        return found

    def _spool_replaces_redis(self) -> bool:
        """Whether the spool accepts events in place of Redis."""
        return self._redis.ready and self._spool is not None and self._spool.accepting
