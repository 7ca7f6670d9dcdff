"""Jobs: what operators have begun, how far it is, and what came of it."""

from typing import Final

from aiohttp import web

from hookline_console.live.jobs import Job
from hookline_console.page import goes_to, record, render
from hookline_console.parts import PARTS

_PAGE: Final = "/jobs"


async def show(request: web.Request) -> web.Response:
    """Show the jobs."""
    return render(request, "jobs.html", jobs=request.app[PARTS].jobs.all())


async def show_alone(request: web.Request) -> web.Response:
    """Show the list of jobs alone, which is asked for every second while one runs."""
    return render(request, "fragments/jobs.html", jobs=request.app[PARTS].jobs.all())


async def stop(request: web.Request) -> web.Response:
    """Stop a job after its current step."""
    job: Job | None = request.app[PARTS].jobs.find(request.match_info["id"])
    if job is None:
        raise web.HTTPNotFound(text="There is no such job. Jobs are forgotten when the console stops.")
    await record(request, "stop job", f"{job.deed.action}: {job.deed.target}")
    job.stop.set()
    return goes_to(_PAGE)
