"""A processor inside the test's own event loop: the real wiring, without a process around it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from hookline import Handlers
from hookline_processor.app import Processor, build_processor
from hookline_processor.attempts.threads import Threads
from hookline_processor.settings import ProcessorSettings
from hookline_shared.clock import SystemClock
from hookline_shared.lifecycle.service import Supervisor
from tests.support.observability.logbook import Logbook
from tests.support.waiting import until


@asynccontextmanager
async def running_processor(settings: Mapping[str, object], handlers: Handlers, logbook: Logbook) -> AsyncIterator[Processor]:
    """Run a processor of all partitions with `settings`, as environment variables."""
    supervisor = Supervisor(logbook.logger)
    loaded = ProcessorSettings.load({"PROCESSOR_ADMIN_PORT": "0", **settings})
    processor = build_processor(loaded, handlers, Threads(4), SystemClock(), logbook.logger)
    stopping = AsyncExitStack()
    try:
        await processor.start(supervisor, stopping)
        await until(lambda: processor.ownership.check() is None, "the processor reads")
        yield processor
    finally:
        await stopping.aclose()
        await supervisor.close()
