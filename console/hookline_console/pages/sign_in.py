"""Signing in and out."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from hookline_cli.audit import Deed
from hookline_console.access.passwords import PasswordFileError
from hookline_console.access.people import Person
from hookline_console.access.sign_in import LockedOutError
from hookline_console.components import COMPONENTS
from hookline_console.page import VISIT, client_of, form_of, goes_to, render, session_of
from hookline_shared.errors import HooklineError

_HOME: Final = "/"
_WRONG: Final = "There is nobody with this name and this password."
_BROKEN: Final = "Nobody can sign in now. The log of the console says why."
_USED: Final = "This link is worth nothing any more: it was used, it is older than 10 minutes, or there is a newer one."
_LONGEST_NAME: Final = 100


async def show(request: web.Request) -> web.Response:
    """Ask who it is."""
    return goes_to(_HOME) if request[VISIT].session else _ask(request)


async def enter(request: web.Request) -> web.Response:
    """Sign in by a link from the terminal."""
    person = request.app[COMPONENTS].sign_in.by_link(request.query.get("link", ""))
    if person is None:
        return goes_to(_HOME) if request[VISIT].session else _ask(request, HTTPStatus.FORBIDDEN, problem=_USED)
    return await _begin(request, person, _HOME)


async def by_password(request: web.Request) -> web.Response:
    """Sign in by a password."""
    form, sign_in = await form_of(request), request.app[COMPONENTS].sign_in
    name, then = form.get("name", "")[:_LONGEST_NAME], _inside(form.get("next", _HOME))
    try:
        person = await sign_in.by_password(name, form.get("password", ""), client_of(request))
    except LockedOutError as error:
        return _ask(request, HTTPStatus.TOO_MANY_REQUESTS, problem=str(error), then=then)
    except PasswordFileError as error:
        request.app[COMPONENTS].logger.error("nobody can sign in", error=str(error))
        return _ask(request, HTTPStatus.SERVICE_UNAVAILABLE, problem=_BROKEN, then=then)
    if person is None:
        await _note_refusal(request, name)
        return _ask(request, HTTPStatus.FORBIDDEN, problem=_WRONG, then=then)
    return await _begin(request, person, then)


async def print_link(request: web.Request) -> web.Response:
    """Print a new link in the terminal."""
    components = request.app[COMPONENTS]
    printed = components.sign_in.print_link(components.origins.base)
    said = "A new link is in the terminal in which the console runs." if printed else "Wait some seconds, and try again."
    return _ask(request, said=said)


async def sign_out(request: web.Request) -> web.Response:
    """End the session, in all tabs."""
    session = session_of(request)
    await _note(request, "signed out", "", session.person.name)
    request.app[COMPONENTS].sign_in.sessions.end(session)
    return goes_to("/sign-in")


async def _begin(request: web.Request, person: Person, then: str) -> web.Response:
    """Begin a session. One that this browser has already ends."""
    sessions = request.app[COMPONENTS].sign_in.sessions
    if before := request[VISIT].session:
        sessions.end(before)
    await _note(request, "signed in", ", ".join(sorted(person.roles)), person.name)
    request[VISIT].begun = sessions.open(person)
    return goes_to(then)


async def _note_refusal(request: web.Request, name: str) -> None:
    """Record a wrong password of somebody whom there is. Others are in the log only: they must not push out other records."""
    components = request.app[COMPONENTS]
    if components.sign_in.knows(name):
        await _note(request, "sign-in refused", _WRONG, name)
    else:
        components.logger.warning("sign-in refused", address=client_of(request))


async def _note(request: web.Request, action: str, outcome: str, name: str) -> None:
    """Record what happened. Without Redis people can sign in all the same: the console says then what is wrong with it."""
    components = request.app[COMPONENTS]
    try:
        await components.audit.write(Deed(name, client_of(request), action, outcome=outcome))
    except HooklineError as error:
        components.logger.warning("not recorded", action=action, who=name, error=str(error))


def _ask(
    request: web.Request, status: HTTPStatus = HTTPStatus.OK, *, problem: str = "", said: str = "", then: str = ""
) -> web.Response:
    then = then or _inside(request.query.get("next", _HOME))
    return render(request, "sign_in.html", status, problem=problem, said=said, then=then)


def _inside(path: str) -> str:
    """Return `path` if it leads to the console itself, otherwise that of the first page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else _HOME
