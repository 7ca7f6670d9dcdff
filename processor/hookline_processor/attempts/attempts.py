"""Running a handler once, under its time-out, and returning the verdict."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hookline_processor.api.context import CallNext, Context, collected_by
from hookline_processor.api.handlers import Handlers
from hookline_processor.api.results import advise, awaitable_of, close_unused, finish, needs_event_loop
from hookline_processor.api.table import BurstPolicy, Handler
from hookline_processor.attempts.attempt_log import AttemptLog
from hookline_processor.attempts.calls import call_async, cancel_if_withdrawn, collecting, without_current_event
from hookline_processor.attempts.deadlines import Deadline, Deadlines
from hookline_processor.attempts.handler_lookup import HandlerLookup
from hookline_processor.attempts.outgoing import Forwarding, MemoryReader, Outgoing
from hookline_processor.attempts.threads import Threads
from hookline_processor.events.events import typed
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.metrics import FAILED_ATTEMPTS, HANDLER_SECONDS, OVERDUE, WAIT_SECONDS
from hookline_processor.replies.collected import Collected
from hookline_processor.replies.memory import Memory
from hookline_processor.replies.outputs import NOTHING
from hookline_processor.retry_policy import RetryPolicy
from hookline_processor.verdicts import DONE, Dead, Done, Failure, Reason, Retry, RetryLater, Verdict, verdict_on_error
from hookline_shared.catalogue.kinds import label_of
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import Event
from hookline_shared.live import LIVE_MARK
from hookline_shared.observability.logs import CURRENT_EVENT, Logger
from hookline_shared.streams.memory import NO_MEMORY
from hookline_shared.system.forked import end_if_forked

if TYPE_CHECKING:
    from hookline_processor.attempts.tracing import AttemptSpans

_CURRENT: Final[ContextVar[tuple[InFlightEvent, Deadline]]] = ContextVar("attempted")
"""The event of the current task and its time-out, for code that runs inside middleware."""

_SOON_MS: Final = 1000
_LONGEST_LIVE_S: Final = 2.0
"""The longest delay before the next attempt at a live event: a caller waits."""


class Attempts:
    """Runs attempts. `timeout_s` (seconds) and `retry` apply to handlers without their own; `threads` run plain functions.

    `spans` creates a span for each attempt, if attempts are traced. `release_slot` is called with the task of an attempt whose
    handler runs on after its time-out. `outgoing` sends messages, and learns from status callbacks what became of them.
    `memories` reads what is remembered of conversations. `forwarding` has handlers for events that `handlers` has none for.
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
        release_slot: "Callable[[asyncio.Task[Any]], None] | None" = None,
        outgoing: Outgoing | None = None,
        memories: MemoryReader | None = None,
        forwarding: Forwarding | None = None,
    ) -> None:
        self._memories = memories
        self.has_bursts = handlers.has_bursts()
        self._release_slot = release_slot
        self._handlers = handlers
        self._timeout_s = timeout_s
        self._retry = retry
        self._threads = threads
        self._clock = clock
        self._logger = logger
        self._spans = spans
        self._log = AttemptLog(logger)
        self._run = self._attempt if spans is None else partial(spans.around, self._attempt)
        self._outgoing = outgoing
        self._lookup = HandlerLookup(handlers, outgoing, forwarding)
        self.handles, self.can_handle = self._lookup.handles, self._lookup.can_handle
        self._awaited: set[InFlightEvent] = set()
        """Events whose plain function has returned, and what it returned is awaited."""
        self._called_in_loop: set[Handler] = set()
        """Plain functions around async ones that turned out to return at once what is to be awaited."""
        self._calls: dict[Handler, CallNext] = {}
        self._deadlines = Deadlines(clock, self._report_overdue)

    def can_be_stopped(self, in_flight: InFlightEvent) -> bool:
        """Whether cancelling the attempt at `in_flight` ends it. A plain function continues in its thread."""
        if in_flight in self._awaited:
            return True
        handler = self._lookup.known(in_flight.event)
        return handler is None or handler.is_async

    def destination(self, in_flight: InFlightEvent) -> str | None:
        """Return the destination of the handler of `in_flight`, or None if it names none."""
        handler = self._lookup.known(in_flight.event)
        return handler.breaker if handler is not None else None

    def burst_policy(self, in_flight: InFlightEvent) -> BurstPolicy | None:
        """Return how events are gathered to be attempted with `in_flight`, or None if it is attempted alone."""
        handler = self._lookup.known(in_flight.event)
        return handler.burst if handler is not None else None

    def report_cut(self, in_flight: InFlightEvent, reason: str) -> None:
        """Log that the attempt at `in_flight` is being withdrawn, if its handler has begun. `reason` says why."""
        if in_flight.started_at is not None:
            handler = self._lookup.find(in_flight.event)
            self._log.cut(handler, in_flight, self._clock.monotonic() - in_flight.started_at, reason)

    async def make(self, in_flight: InFlightEvent) -> Verdict:
        """Attempt `in_flight`, and return the verdict. Raise only if cancelled while `in_flight.withdrawn`."""
        event = in_flight.event
        if not in_flight.record.failures:
            WAIT_SECONDS.of(in_flight.topic).observe(max(0, self._clock.now_ms() - event.received_at) / 1000)
        if self._outgoing is not None and self._outgoing.expects(event) and not await self._outgoing.note(event):
            return Retry(in_flight.record.postponed(self._clock.now_ms() + _SOON_MS))
        try:
            handler = self._lookup.find(event)
        except LookupError as error:
            if self._lookup.is_expected(event):
                return DONE
            dead = Dead(Reason.UNHANDLED, Failure("LookupError", str(error)), 0, self._clock.now_ms())
            self._log.failed(None, in_flight, dead, dead.failure)
            return dead
        if handler is not None:
            try:
                return await self._run(handler, in_flight)
            finally:
                CURRENT_EVENT.set(None)
        if self._log.detailed:
            self._log.succeeded(None, in_flight, DONE, 0)
        return DONE

    async def _attempt(self, handler: Handler, in_flight: InFlightEvent) -> Verdict:
        in_flight.started_at = started = self._clock.monotonic()
        event = typed(in_flight.event)
        if in_flight.burst:
            event.join(typed(one.event) for one in in_flight.burst)
        try:
            call = self._calls.get(handler) or self._compose(handler)
            memory = await self._remember(in_flight.event) if handler.memory else None
            context = self._context(handler, in_flight, memory)
            with self._begin(handler, event, in_flight, started):
                await call(event, context)
            verdict: Verdict = self._done(event, collected_by(context))
        except BaseException as error:  # noqa: BLE001 - every exception becomes a verdict
            end_if_forked(error)
            cancel_if_withdrawn(in_flight)
            verdict = self._judge(handler, event, in_flight, error)
        else:
            end_if_forked()
        finally:
            in_flight.started_at = None
        seconds = self._clock.monotonic() - started
        HANDLER_SECONDS.of(label_of(event.raw.kind)).observe(seconds)
        if self._log.detailed and not isinstance(verdict, Dead) and not (isinstance(verdict, Retry) and verdict.failure):
            with without_current_event():
                self._log.succeeded(handler, in_flight, verdict, seconds)
        return verdict

    def _done(self, event: WebhookEvent, collected: Collected) -> Done:
        """Return the verdict on an attempt that succeeded. Raise `UnfitError` if it cannot send what it wants to send."""
        collected.end()
        outputs = collected.outputs(event, self._clock.now_ms())
        if outputs.answer is not None:
            self._log.note_verbs(event, outputs.answer)
        return DONE if outputs is NOTHING else Done(outputs)

    def _begin(self, handler: Handler, event: WebhookEvent, in_flight: InFlightEvent, started: float) -> Deadline:
        """Begin the attempt of the current task: from now on it has a time-out, and logs belong to its event."""
        deadline = self._deadlines.begin(handler, event, self._timeout_of(handler), started)
        if not handler.is_async:
            _CURRENT.set((in_flight, deadline))
        CURRENT_EVENT.set(event)
        return deadline

    def _context(self, handler: Handler, in_flight: InFlightEvent, memory: Memory | None) -> Context:
        deadline = self._clock.now_ms() / 1000 + self._timeout_of(handler)
        number, state = in_flight.record.failures + 1, self._handlers.state
        return Context(number, deadline, in_flight.event, state, self._logger, memory, interrupted=in_flight.interrupted)

    async def _remember(self, event: Event) -> Memory:
        """Return what is remembered of the conversation of `event`. Raise `RetryLater` if Redis does not answer."""
        try:
            return Memory(NO_MEMORY if self._memories is None else await self._memories.load(event))
        except BrokerUnavailableError as error:
            self._logger.debug("memory waits for redis", error=str(error))
            raise RetryLater(_SOON_MS / 1000) from error

    def _timeout_of(self, handler: Handler) -> float:
        return self._timeout_s if handler.timeout_s is None else handler.timeout_s

    def _compose(self, handler: Handler) -> CallNext:
        """Return `handler` with the middleware around it, and cache it."""
        call = partial(call_async, handler.function) if handler.is_async else partial(self._call_plain, handler)
        self._calls[handler] = composed = self._handlers.compose(handler, call)
        return composed

    async def _call_plain(self, handler: Handler, event: WebhookEvent, context: Context) -> None:
        """Run a plain function, then what it returns if that is to be awaited: see `results.py`."""
        with collecting(context) as collected:
            collected.keep(await self._result_of_plain(handler, event, context))

    async def _result_of_plain(self, handler: Handler, event: WebhookEvent, context: Context) -> object:
        if handler in self._called_in_loop:
            result = handler.function(event, context)
        else:
            result = await self._call_in_thread(handler, event, context)
        if (awaitable := awaitable_of(result)) is not None:
            if handler.wraps_async:
                self._called_in_loop.add(handler)
            return await self._await_result(awaitable)
        return result

    async def _await_result(self, awaitable: Awaitable[object]) -> object:
        in_flight, deadline = _CURRENT.get()
        self._awaited.add(in_flight)
        try:
            deadline.allow_stop()
            return await finish(awaitable)
        except TimeoutError:
            close_unused(awaitable)
            raise
        finally:
            self._awaited.discard(in_flight)

    async def _call_in_thread(self, handler: Handler, event: WebhookEvent, context: Context) -> object:
        """Run `function` in a thread and wait for its end, even after the time-out: two attempts at once would break the order.

        A time-out in a middleware waits as well. The outcome is that of the function.
        """
        in_flight, _ = _CURRENT.get()
        running = self._threads.run(handler.function, event, context)
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError:
                if in_flight.withdrawn:
                    running.cancel()
                    raise
        if (error := running.exception()) is not None and needs_event_loop(error):
            if handler.wraps_async:
                return handler.function(event, context)
            advise(error)
        return running.result()

    def _report_overdue(self, deadline: Deadline) -> None:
        OVERDUE.labels(label_of(deadline.event.raw.kind)).inc()
        if self._release_slot is not None:
            self._release_slot(deadline.task)
        in_thread = not deadline.can_be_stopped
        self._log.overdue(deadline.handler, deadline.event.id, deadline.timeout_s, in_thread=in_thread)

    def _judge(self, handler: Handler, event: WebhookEvent, in_flight: InFlightEvent, error: BaseException) -> Verdict:
        policy = handler.retry or self._retry
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        try:
            longest_s = _LONGEST_LIVE_S if LIVE_MARK in in_flight.event.dedupe_key else math.inf
            verdict = verdict_on_error(error, in_flight.record, policy, self._clock.now_ms(), jitter, longest_s)
        except BaseException as mistake:  # noqa: BLE001 - an exception whose own methods fail is a failure like any other
            policy = msgspec.structs.replace(policy, give_up_on=())  # their own methods may be what fails
            verdict = verdict_on_error(mistake, in_flight.record, policy, self._clock.now_ms(), jitter)
        if verdict.failure is not None:
            self._report(handler, event, in_flight, verdict, verdict.failure)
        return verdict

    def _report(
        self, handler: Handler, event: WebhookEvent, in_flight: InFlightEvent, verdict: Retry | Dead, failure: Failure
    ) -> None:
        if not (isinstance(verdict, Dead) and verdict.reason is Reason.REJECTED):
            FAILED_ATTEMPTS.count(label_of(event.raw.kind))
        failure = failure.redacted(event.personal)
        if self._spans is not None:
            self._spans.failed(failure)
        with without_current_event():
            self._log.failed(handler, in_flight, verdict, failure)
