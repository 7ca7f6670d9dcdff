"""What every page does: render a template for whoever asks, and answer a form."""

from typing import Any, Final

from aiohttp import web
from markupsafe import Markup

from hookline_cli.audit import Deed
from hookline_cli.output.operator import MAX_NOTE_LENGTH
from hookline_cli.output.redaction import Redaction
from hookline_console.access.people import Role
from hookline_console.access.sessions import Session
from hookline_console.components import COMPONENTS
from hookline_console.live.jobs import Job
from hookline_shared.errors import HooklineError


class Visit:
    """Who asks: their `session`, and the `cookie` that the tokens in their forms are made for.

    `begun` is the id of a session that begins with this answer, `reveals` whether this answer shows numbers and texts.
    """

    def __init__(self, session: Session | None, cookie: str, begun: str = "") -> None:
        self.session = session
        self.cookie = cookie
        self.begun = begun
        self.reveals = False


VISIT: Final = web.RequestKey("visit", Visit)

PAGES: Final = (
    ("Overview", "/"),
    ("Dead letters", "/dead"),
    ("Waiting", "/waiting"),
    ("Outbox", "/outbox"),
    ("Conversations", "/conversations"),
    ("Event", "/events"),
    ("Services", "/services"),
    ("Jobs", "/jobs"),
    ("Audit log", "/audit"),
)
"""The menu."""
TOKEN_FIELD: Final = "token"  # noqa: S105 - the name of a field
_SHORT_JOB_S: Final = 1.0
_MASKED: Final = Redaction(reveal=False)
_REVEALED: Final = Redaction(reveal=True)


class NoReasonError(HooklineError):
    """A form came without a reason."""

    def __init__(self) -> None:
        super().__init__("Nothing was done: a reason is required, and kept in the audit log.")


def session_of(request: web.Request) -> Session:
    """Return the session of a request, which the guard has found."""
    session = request[VISIT].session
    if session is None:
        raise web.HTTPUnauthorized
    return session


def redaction(request: web.Request) -> Redaction:
    """Return what masks personal data on a page: on all of them, except the answer to a form that reveals."""
    return _REVEALED if request[VISIT].reveals else _MASKED


def render(request: web.Request, template: str, status: int = 200, **values: Any) -> web.Response:
    """Return the page that `template` makes of `values`."""
    return web.Response(text=html(request, template, **values), status=status, content_type="text/html", charset="utf-8")


def html(request: web.Request, template: str, **values: Any) -> str:
    """Return the HTML that `template` makes of `values`."""
    components = request.app[COMPONENTS]
    session = request[VISIT].session
    token = components.sign_in.tokens.of(request[VISIT].cookie)
    common = {
        "pages": PAGES,
        "person": session.person if session else None,
        "notice": session.take_notice() if session and "fragment" not in template else "",
        "form_token": lambda: Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, token),
        "path": request.path,
        "may_act": bool(session and session.person.may(Role.OPERATOR)),
        "may_reveal": bool(session and session.person.may(Role.REVEALER)),
        "revealed": request[VISIT].reveals,
        "way": components.sign_in.way,
        "now_ms": components.clock.now_ms(),
    }
    return components.templates.get_template(template).render({**common, **values})


def goes_to(location: str) -> web.Response:
    """Return the answer to a form: the browser shows the page at `location`, and reloading it repeats nothing."""
    return web.Response(status=303, headers={"Location": location})


async def goes_to_result(request: web.Request, job: Job, location: str) -> web.Response:
    """Return the answer to a form that began `job`: what came of it at `location` if it ends at once, otherwise all jobs."""
    await request.app[COMPONENTS].jobs.wait(job, _SHORT_JOB_S)
    if job.runs:
        return goes_to("/jobs")
    session_of(request).notice = job.outcome
    return goes_to(location)


async def reveal(request: web.Request, target: str) -> None:
    """Note that the answer to this form shows numbers and texts, which is recorded.

    Raises:
        NoReasonError: if there is no reason.
        BrokerUnavailableError: if Redis did not confirm the record.

    """
    await record(request, "reveal", target, await why_of(request))
    request[VISIT].reveals = True


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the fields of a form, the first of each name."""
    return {name: value for name, value in reversed([*(await request.post()).items()]) if isinstance(value, str)}


async def why_of(request: web.Request) -> str:
    """Return the reason in a form.

    Raises:
        NoReasonError: if there is none.

    """
    why = (await form_of(request)).get("why", "").strip()
    if not why:
        raise NoReasonError
    return why[:MAX_NOTE_LENGTH]


async def record(request: web.Request, action: str, target: str, why: str = "", outcome: str = "") -> Deed:
    """Record what somebody is about to do, and return the deed.

    Raises:
        BrokerUnavailableError: if Redis did not confirm. Then it must not be done.

    """
    deed = Deed(session_of(request).person.name, client_of(request), action, target, why, outcome)
    await request.app[COMPONENTS].audit.write(deed)
    return deed


def client_of(request: web.Request) -> str:
    """Return the address of the browser."""
    return request.app[COMPONENTS].sign_in.proxies.client(request.remote or "", request.headers)
