"""Jobs: what operators have begun, how far it is, and what came of it."""

from typing import Final

from aiohttp import web

from hookline_console.components import COMPONENTS
from hookline_console.live.jobs import Job
from hookline_console.page import goes_to, record, render

_PAGE: Final = "/jobs"


async def show(request: web.Request) -> web.Response:
    """Show the jobs."""
    return render(request, "jobs.html", jobs=request.app[COMPONENTS].jobs.all())


async def show_progress(request: web.Request) -> web.Response:
    """Show how far a job is, which is asked for every second while it runs; then the browser is to load the page again."""
    job = request.app[COMPONENTS].jobs.find(request.match_info["id"])
    if job is None or not job.runs:
        return web.Response(headers={"HX-Refresh": "true"})
    return render(request, "fragments/progress.html", job=job)


async def stop(request: web.Request) -> web.Response:
    """Stop a job after its current step."""
    job: Job | None = request.app[COMPONENTS].jobs.find(request.match_info["id"])
    if job is None:
        raise web.HTTPNotFound(text="There is no such job. Jobs are forgotten when the console stops.")
    await record(request, "stop job", f"{job.deed.action}: {job.deed.target}")
    job.stop.set()
    return goes_to(_PAGE)
