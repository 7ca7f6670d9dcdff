"""The first page: live, honest about what it does not know, and with charts of what was."""

import asyncio
from pathlib import Path

from aiohttp import ClientResponse

from hookline_cli.audit import Deed
from hookline_console.live.history import History, Sample
from hookline_console.live.jobs import Job
from tests.support.console.local_console import OPERATOR, VIEWER, LocalConsole, running_console
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.dead_letters import write_dead_letters

_PATIENCE_S = 20


async def next_status(answer: ClientResponse) -> str:
    """Return the next status that a live page gets."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            event = (await answer.content.readuntil(b"\n\n")).decode()
            if event.startswith("event: status"):
                return event


async def test_live_page_sees_changes(own_redis: RedisServer, tmp_path: Path) -> None:
    """What changes in Redis is in the open page soon; Redis away, it says so, with what was known; back, it goes on."""
    async with running_console(own_redis.url, tmp_path) as console:
        write_dead_letters(own_redis.client, 3)
        watch = asyncio.create_task(console.components.status.run())
        viewer = await console.signed_in()
        answer = await viewer.get("/live")
        first = await next_status(answer)
        assert "3 events could not be handled" in first
        assert '<a href="/dead">Dead letters</a>' in first
        assert "Content-Security-Policy" in answer.headers
        write_dead_letters(own_redis.client, 2)
        while "5 events could not be handled" not in (text := await next_status(answer)):
            pass
        own_redis.kill()
        while "Redis does not answer" not in (text := await next_status(answer)):
            pass
        assert "What is below was known" in text
        assert ">2</a>" in text
        page = await viewer.get("/")
        assert (page.status, "Redis does not answer" in await page.text()) == (200, True)
        away = await viewer.get("/dead")
        assert (away.status, "This did not work" in await away.text()) == (503, True)
        own_redis.start()
        while "Redis does not answer" in await next_status(answer):
            pass
        assert (await viewer.get("/dead")).status == 200
        watch.cancel()


async def test_live_page_ends_with_its_session(console: LocalConsole) -> None:
    """After sign-out in another tab, the live page gets nothing more."""
    watch = asyncio.create_task(console.components.status.run())
    tab = await console.signed_in()
    answer = await tab.get("/live")
    await next_status(answer)
    await tab.post("/sign-out")
    async with asyncio.timeout(_PATIENCE_S):
        rest = await answer.content.read()
    assert rest.rstrip().endswith(b"event: ended\ndata: .")
    watch.cancel()


async def test_charts_show_the_history(console: LocalConsole) -> None:
    """What was measured is drawn, and without any measurement the page says so."""
    viewer = await console.signed_in(VIEWER)
    assert "Nothing was measured yet" in await viewer.text("/charts")
    history = History(console.components.redis.redis)
    await history.add(Sample(accepted=12.5, backlog=7))
    await history.add(Sample(accepted=2.25, backlog=3, oldest=90))
    text = await viewer.text("/charts")
    assert "accepted, events/s: now 2.2, at most 12.5" in text
    assert "unsettled events: now 3, at most 7" in text
    assert "age of the oldest: now 1m" in text


async def test_services_and_settings(console: LocalConsole) -> None:
    """Without services the page says how to name them; secrets in settings are masked."""
    text = await (await console.signed_in()).text("/services")
    assert "No admin port is known" in text
    assert "No processor is running" in text


async def test_job_goes_on_without_a_tab(console: LocalConsole) -> None:
    """What is begun goes on, all operators see it, and it stops when somebody says so."""

    async def work(job: Job) -> str:
        job.advance(3)
        await job.stop.wait()
        return "3 done. Stopped."

    job = console.components.jobs.start(Deed("ada", "here", "replay dead letters"), 12, work)
    operator = await console.signed_in(OPERATOR, "bob")
    await asyncio.sleep(0)
    assert "3 of 12" in await operator.text("/jobs")
    assert "3 of 12" in await operator.text(f"/jobs/{job.id}/progress")
    assert (await operator.post(f"/jobs/{job.id}/stop", "/jobs")).status == 303
    await console.components.jobs.wait(job, _PATIENCE_S)
    assert "3 done. Stopped." in await operator.text("/jobs")
    assert (await operator.get(f"/jobs/{job.id}/progress")).headers["HX-Refresh"] == "true"
    assert [one.deed.action for one in await console.components.audit.newest(2)] == ["replay dead letters", "stop job"]
