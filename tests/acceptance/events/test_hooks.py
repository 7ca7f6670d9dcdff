"""Start-up and shut-down hooks in a running processor."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.waiting import until, until_answer

_BOT = """
import asyncio, pathlib
from hookline import Handlers

handlers = Handlers()

@handlers.on_startup
async def open_pool(state):
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    if pathlib.Path("go").read_text() == "fail":
        raise ConnectionError("no route to postgres://bot:secret@db/orders")
    state["pool"] = "pool"

@handlers.on("message.received")
async def answer(event, context):
    ...

@handlers.on_shutdown
async def close_pool(state):
    print("closed", state.get("pool"), flush=True)
"""


@pytest.fixture
def processor(services: Services, redis_url: str, tmp_path: Path) -> ServiceProcess:
    (tmp_path / "hooked.py").write_text(_BOT)
    return services.processor({"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "hooked:handlers"})


async def test_not_ready_until_started_up(processor: ServiceProcess, tmp_path: Path) -> None:
    """While a start-up hook runs the admin port answers, /readyz says why it is not ready, and nothing is read."""
    await processor.listen()
    assert "[-]handlers failed: handlers are starting up" in await processor.probe("readyz", 503)
    assert await processor.probe("livez", 200) == "ok\n"
    assert (await processor.metrics())["hookline_partitions_owned"] == 0
    (tmp_path / "go").write_text("on")
    await processor.probe("readyz", 200)
    await until_answer(
        processor.metrics,
        lambda found: found["hookline_partitions_owned"] == found["hookline_partitions"] == 8,
        "it owns all",
    )
    assert await processor.stop() == 0
    assert processor.stdout == ["closed pool"]


async def test_failed_startup_stops_the_service(processor: ServiceProcess, tmp_path: Path) -> None:
    """A start-up hook that fails is named in one line without secrets; what was opened before is closed; exit code 1."""
    (tmp_path / "go").write_text("fail")
    await processor.launch()
    assert await processor.ended() == 1
    stopped = processor.find("stopped")
    assert stopped is not None
    assert stopped["error"].startswith(
        "The start-up hook hooked.open_pool failed with ConnectionError: no route to postgres://"
    )
    assert "secret" not in processor.errors
    assert "Traceback" not in processor.errors
    assert processor.stdout == ["closed None"]


async def test_signal_during_startup(processor: ServiceProcess) -> None:
    """A processor that is stopped while it starts up stops at once, and in order."""
    await processor.listen()
    assert await processor.stop() == 0
    await until(lambda: processor.stdout == ["closed None"], "the shut-down hook ran")


_LIFESPANS = """
import asyncio, pathlib
from hookline import Handlers, MessageReceived

handlers, others = Handlers(), Handlers()

@others.lifespan
async def pool(state):
    state["pool"] = "pool"
    yield
    print("closed", state["pool"], flush=True)

handlers.include(others)

@handlers.lifespan
async def odd(state):
    if MODE == "never":
        return
    yield
    if MODE == "twice":
        yield

async def work():
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    raise ConnectionError("no route to postgres://bot:secret@db/orders")

@handlers.lifespan
async def background(state):
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work())
        yield
        working.cancel()

if MODE == "import":
    @handlers.on(MessageReceived)
    async def answer(event): ...
"""


@pytest.fixture
def start_bot(services: Services, redis_url: str, tmp_path: Path) -> Callable[[str], ServiceProcess]:
    """Return what makes a processor whose lifespans misbehave in the way it is told."""

    def make(mode: str) -> ServiceProcess:
        (tmp_path / "living.py").write_text(f"MODE = {mode!r}\n{_LIFESPANS}")
        return services.processor({"REDIS_URL": redis_url, "PROCESSOR_HANDLERS": "living:handlers"})

    return make


async def test_lifespans_open_and_close(start_bot: Callable[[str], ServiceProcess]) -> None:
    """The processor is ready once all have yielded, and closes them when it is stopped."""
    processor = start_bot("well")
    await processor.listen()
    await processor.probe("readyz", 200)
    assert await processor.stop() == 0
    assert processor.stdout == ["closed pool"]
    assert "lifespan" not in processor.errors


async def test_lifespan_that_never_yields_stops_the_service(start_bot: Callable[[str], ServiceProcess]) -> None:
    """It is named in one line; what was opened before is closed; exit code 1."""
    processor = start_bot("never")
    await processor.launch()
    assert await processor.ended() == 1
    stopped = processor.find("stopped")
    assert stopped is not None
    assert stopped["error"].startswith("The lifespan living.odd ended without a yield (")
    assert "Traceback" not in processor.errors
    assert processor.stdout == ["closed pool"]


async def test_lifespan_that_yields_twice_is_reported(start_bot: Callable[[str], ServiceProcess]) -> None:
    """It is named in one line, and keeps neither the others from closing nor the service from ending well."""
    processor = start_bot("twice")
    await processor.listen()
    await processor.probe("readyz", 200)
    assert await processor.stop() == 0
    failed = processor.find("lifespan failed")
    assert failed is not None
    assert failed["hook"] == "living.odd"
    assert failed["error"].startswith("has a second yield (")
    assert processor.stdout == ["closed pool"]


async def test_lifespan_that_dies_stops_the_service(start_bot: Callable[[str], ServiceProcess], tmp_path: Path) -> None:
    """A background task of the user's that fails stops the service with one line, without secrets; exit code 1."""
    processor = start_bot("well")
    await processor.listen()
    await processor.probe("readyz", 200)
    (tmp_path / "go").touch()
    assert await processor.ended() == 1
    stopped = processor.find("stopped")
    assert stopped is not None
    assert stopped["error"].startswith("The lifespan living.background failed with ExceptionGroup: ")
    assert "while events were handled" in stopped["error"]
    assert "secret" not in processor.errors
    assert processor.stdout == ["closed pool"]


async def test_refused_handler_is_one_line(start_bot: Callable[[str], ServiceProcess], tmp_path: Path) -> None:
    """A processor whose handlers are declared wrongly does not start, and says where; exit code 1."""
    processor = start_bot("import")
    await processor.launch()
    assert await processor.ended() == 1
    file = tmp_path / "living.py"
    line = 1 + file.read_text().splitlines().index("    @handlers.on(MessageReceived)")
    assert f"living.answer ({file}, line {line}) must take (event, context), but takes (event)." in processor.errors
    assert len(processor.errors.splitlines()) == 1
    assert "Traceback" not in processor.errors
