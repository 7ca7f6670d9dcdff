"""Start-up and shut-down hooks in a running processor."""

from pathlib import Path

import pytest

from tests.support.service_process import ServiceProcess
from tests.support.services import Services
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
