"""Running a handler once, under its time-out, and turning what happened into a verdict."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Final

from hookline_processor.api.context import CallNext, Context
from hookline_processor.api.handlers import Handlers
from hookline_processor.api.table import Handler
from hookline_processor.attempts.attempt_log import AttemptLog
from hookline_processor.attempts.deadlines import Deadline, Deadlines
from hookline_processor.attempts.threads import Threads
from hookline_processor.events.events import typed
from hookline_processor.events.webhook_event import WebhookEvent
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.metrics import FAILED_ATTEMPTS, HANDLER_SECONDS, OVERDUE, WAIT_SECONDS
from hookline_processor.retry import RetryPolicy
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict, verdict_on_error
from hookline_shared.clock import Clock
from hookline_shared.kinds import label_of
from hookline_shared.observability.logs import CURRENT_EVENT, Logger

if TYPE_CHECKING:
    from hookline_processor.attempts.tracing import AttemptSpans

_ATTEMPTED: Final[ContextVar[InFlightEvent]] = ContextVar("attempted")
"""What the current task attempts, for what runs inside of middleware."""


class Attempts:
    """Makes attempts. `timeout_s` and `retry` apply to handlers that have none of their own; `threads` run plain functions.

    `spans` go around attempts, if these are traced.
    """

    def __init__(
        self,
        handlers: Handlers,
        timeout_s: float,
        retry: RetryPolicy,
        threads: Threads,
        clock: Clock,
        logger: Logger,
        spans: "AttemptSpans | None" = None,
    ) -> None:
        self._handlers = handlers
        self._timeout_s = timeout_s
        self._retry = retry
        self._threads = threads
        self._clock = clock
        self._logger = logger
        self._spans = spans
        self._reports = AttemptLog(logger)
        self._run = self._attempt if spans is None else partial(spans.around, self._attempt)
        self._calls: dict[Handler, CallNext] = {}
        self._deadlines = Deadlines(clock, self._report_overdue)

    def can_be_stopped(self, held: InFlightEvent) -> bool:
        """Whether cancelling the attempt of `held` ends it: a plain function runs on in its thread."""
        try:
            handler = self._handlers.find(held.event.kind)
        except LookupError:
            return True
        return handler is None or handler.is_async

    def destination(self, held: InFlightEvent) -> str | None:
        """Return the name of what the handler of `held` talks to, if it has one."""
        try:
            handler = self._handlers.find(held.event.kind)
        except LookupError:
            return None
        return handler.breaker if handler is not None else None

    async def make(self, held: InFlightEvent) -> Verdict:
        """Attempt `held`. Raises only if cancelled while `held.withdrawn`, which is not an attempt."""
        event = held.event
        if not held.record.failures:
            WAIT_SECONDS.of(held.topic).observe(max(0, self._clock.now_ms() - event.received_at) / 1000)
        try:
            handler = self._handlers.find(event.kind)
        except LookupError as error:
            dead = Dead(Reason.UNHANDLED, Failure("LookupError", str(error)), 0, self._clock.now_ms())
            self._reports.failed(None, held, dead, dead.failure)
            return dead
        if handler is not None:
            try:
                return await self._run(handler, held)
            finally:
                CURRENT_EVENT.set(None)
        if self._reports.detailed:
            self._reports.succeeded(None, held, Done(), 0)
        return Done()

    async def _attempt(self, handler: Handler, held: InFlightEvent) -> Verdict:
        started = self._clock.monotonic()
        event = typed(held.event)
        try:
            await self._call(handler, event, held, started)
        except (Exception, asyncio.CancelledError, SystemExit) as error:  # noqa: BLE001 - whatever it raises is its verdict
            _go_on_if_withdrawn(held)
            verdict = self._judge(handler, event, held, error)
        else:
            verdict = Done()
        seconds = self._clock.monotonic() - started
        HANDLER_SECONDS.of(label_of(event.raw.kind)).observe(seconds)
        if self._reports.detailed and not isinstance(verdict, Dead) and not (isinstance(verdict, Retry) and verdict.failure):
            with _our_own_words():
                self._reports.succeeded(handler, held, verdict, seconds)
        return verdict

    async def _call(self, handler: Handler, event: WebhookEvent, held: InFlightEvent, started: float) -> None:
        timeout_s = self._timeout_s if handler.timeout_s is None else handler.timeout_s
        deadline = self._clock.now_ms() / 1000 + timeout_s
        context = Context(held.record.failures + 1, deadline, held.event, self._handlers.state, self._logger)
        call = self._calls.get(handler) or self._compose(handler)
        if not handler.is_async:
            _ATTEMPTED.set(held)
        with self._deadlines.begin(handler, event, timeout_s, started):
            CURRENT_EVENT.set(event)
            await call(event, context)

    def _compose(self, handler: Handler) -> CallNext:
        """Return what runs `handler` with the middleware around it, made once."""
        call = handler.function if handler.is_async else partial(self._call_in_thread, handler.function)
        self._calls[handler] = composed = self._handlers.compose(handler, call)
        return composed

    async def _call_in_thread(self, function: Callable[..., object], event: WebhookEvent, context: Context) -> None:
        """Wait for the thread, however late: a second attempt beside the first would break the order.

        So a middleware that has lost its patience waits, too. What counts in the end is what the function did.
        """
        held = _ATTEMPTED.get()
        running = self._threads.run(function, event, context)
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError:
                if held.withdrawn:
                    running.cancel()
                    raise
        running.result()

    def _report_overdue(self, deadline: Deadline) -> None:
        OVERDUE.labels(label_of(deadline.event.raw.kind)).inc()
        self._reports.overdue(deadline.handler, deadline.event.id, deadline.timeout_s)

    def _judge(self, handler: Handler, event: WebhookEvent, held: InFlightEvent, error: BaseException) -> Verdict:
        policy = handler.retry or self._retry
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        try:
            verdict = verdict_on_error(error, held.record, policy, self._clock.now_ms(), jitter)
        except Exception as mistake:  # noqa: BLE001 - an exception so odd that it cannot be judged is a failure like any other
            verdict = verdict_on_error(mistake, held.record, policy, self._clock.now_ms(), jitter)
        if verdict.failure is not None:
            self._report(handler, event, held, verdict, verdict.failure)
        return verdict

    def _report(
        self, handler: Handler, event: WebhookEvent, held: InFlightEvent, verdict: Retry | Dead, failure: Failure
    ) -> None:
        if not (isinstance(verdict, Dead) and verdict.reason is Reason.REJECTED):
            FAILED_ATTEMPTS.count(label_of(event.raw.kind))
        failure = failure.without(event.personal)
        if self._spans is not None:
            self._spans.failed(failure)
        with _our_own_words():
            self._reports.failed(handler, held, verdict, failure)


@contextmanager
def _our_own_words() -> Iterator[None]:
    """Say something that quotes no event, though it may look so."""
    token = CURRENT_EVENT.set(None)
    yield
    CURRENT_EVENT.reset(token)


def _go_on_if_withdrawn(held: InFlightEvent) -> None:
    """Go on being cancelled if we did that, whatever the handler made of it.

    A handler that cancelled itself, by its own doing or a library's, has failed instead, and its task is needed on.
    """
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        return
    if held.withdrawn:
        raise asyncio.CancelledError
    task.uncancel()
