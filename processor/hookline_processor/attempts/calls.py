"""What surrounds the call of a handler: what it sends and returns, its cancellation, and its place in logs."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from hookline_processor.api.context import Context, collected_by
from hookline_processor.api.results import finish
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.replies.collected import Collected
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.observability.logs import CURRENT_EVENT


async def call_async(function: Callable[..., Awaitable[object]], event: WebhookEvent, context: Context) -> None:
    """Run an async function, and the coroutine that it returns if an await was forgotten in it: it would never run."""
    collected = collected_by(context)
    number = len(collected.messages)
    try:
        result = await function(event, context)
        collected.keep(await finish(result) if inspect.iscoroutine(result) else result)
    except BaseException:
        collected.forget(number)
        raise


@contextmanager
def collecting(context: Context) -> Iterator[Collected]:
    """Yield what the attempt sends; forget what is sent in the `with` block if that fails."""
    collected = collected_by(context)
    number = len(collected.messages)
    try:
        yield collected
    except BaseException:
        collected.forget(number)
        raise


@contextmanager
def without_current_event() -> Iterator[None]:
    """Log without the current event, so that the redaction leaves the text alone."""
    token = CURRENT_EVENT.set(None)
    yield
    CURRENT_EVENT.reset(token)


def cancel_if_withdrawn(in_flight: InFlightEvent) -> None:
    """Raise `CancelledError` if the processor withdrew the attempt, whatever the handler raised.

    A handler that cancelled itself has failed instead, and its task must continue.
    """
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        return
    if in_flight.withdrawn:
        raise asyncio.CancelledError
    while task.uncancel():
        pass  # it may have cancelled itself several times
