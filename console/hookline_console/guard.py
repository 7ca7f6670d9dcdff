"""The middleware that every request passes: whose it is, whether they may, and whether the form is ours."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Final
from urllib.parse import quote

from aiohttp import web

from hookline_console.access.people import Role
from hookline_console.access.sign_in import Way
from hookline_console.components import Components
from hookline_console.data_sources import AWAY
from hookline_console.http_headers import NOT_KEPT, security_headers
from hookline_console.page import TOKEN_FIELD, VISIT, Visit, render
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import Logger

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FORM_COOKIE: Final = "hookline_form"
_SESSION_COOKIE: Final = "hookline_console"
_HOST_ONLY: Final = "__Host-"
_READING: Final = ("GET", "HEAD")
_BY_ITSELF: Final = frozenset({"/live", "/charts", "/jobs/{id}/progress"})
"""What an open page asks for by itself, with nobody before it."""
_REFUSED: Final = (
    "Nothing was done: this form is not from a page that the console sent to you, or you have signed out or in since. Go back, "
    "reload the page, and try again."
)
_SIGNED_OUT: Final = "Nothing was done: your session has ended. Sign in, and try again."
_WRONG_HOST: Final = "This is not an address of the console. Set CONSOLE_URL to the URL that browsers use.\n"
_MAY_NOT: Final = "You may not do this: it needs the role {role}, and {name} has {roles}."
_FAILED: Final = "The console failed at this. Its log says why. The services do not depend on it."


class Guard:
    """Lets a request through to the handler of its route. `needs` has the role for each method and path; None is public."""

    def __init__(self, components: Components, needs: Mapping[tuple[str, str], Role | None], logger: Logger) -> None:
        self._components = components
        self._needs = needs
        self._logger = logger
        https = components.origins.https
        self._headers = security_headers(https=https)
        self._secure = https
        self._session_cookie = (_HOST_ONLY if https else "") + _SESSION_COOKIE
        self._form_cookie = (_HOST_ONLY if https else "") + _FORM_COOKIE

    @web.middleware
    async def pass_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request."""
        if not self._components.origins.knows(request.host):
            return web.Response(text=_WRONG_HOST, status=HTTPStatus.MISDIRECTED_REQUEST)
        visit = request[VISIT] = self._identify(request)
        answer = await self._answer(request, handler)
        if not answer.prepared:
            self._set_cookies(visit, request.cookies, answer)
        return answer

    async def add_headers(self, _request: web.Request, answer: web.StreamResponse) -> None:
        """Add the headers of every answer, before its first byte is sent: also of one that goes on for long."""
        answer.headers.update(self._headers)
        answer.headers.setdefault("Cache-Control", NOT_KEPT)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return self._refusal(request) or await self._unless_forged(request, handler)
        except web.HTTPException as error:
            return render(request, "message.html", error.status, title=error.reason, text=error.text or error.reason)
        except HooklineError as error:
            status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, AWAY) else HTTPStatus.BAD_REQUEST
            return render(request, "message.html", status, title="This did not work", text=str(error))
        except Exception:
            self._logger.exception("request failed", path=request.path)
            return render(request, "message.html", HTTPStatus.INTERNAL_SERVER_ERROR, title="This did not work", text=_FAILED)

    async def _unless_forged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Call `handler`, unless the request changes something and does not come from a form of ours."""
        if request.method in _READING:
            return await handler(request)
        token = (await request.post()).get(TOKEN_FIELD)
        fits = isinstance(token, str) and self._components.sign_in.tokens.fits(token, request[VISIT].cookie)
        if not fits or not self._components.origins.sends(request.headers):
            return render(request, "message.html", HTTPStatus.FORBIDDEN, title="Refused", text=_REFUSED)
        return await handler(request)

    def _identify(self, request: web.Request) -> Visit:
        """Return who asks."""
        sessions, cookie = self._components.sign_in.sessions, request.cookies.get(self._session_cookie, "")
        session = sessions.find(cookie, in_use=_path_of(request) not in _BY_ITSELF) if cookie else None
        if self._components.sign_in.way is Way.PROXY:
            named = self._components.sign_in.by_proxy(request.remote or "", request.headers)
            if named is None or (session and session.person != named):
                session = None
            if named is not None and session is None:
                cookie = sessions.open(named)
                return Visit(sessions.find(cookie), cookie, begun=cookie)
        return Visit(session, cookie if session else request.cookies.get(self._form_cookie) or token_urlsafe())

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return the answer for somebody who may not ask for this, otherwise None."""
        path, session = _path_of(request), request[VISIT].session
        if not path:
            return None  # there is no such page, which the handler says
        need = self._needs["GET" if request.method in _READING else request.method, path]
        if need is None:
            return None
        if session is None:
            return _ask_to_sign_in(request)
        if not session.person.may(need):
            text = _MAY_NOT.format(role=need, name=session.person.name, roles=", ".join(sorted(session.person.roles)))
            return render(request, "message.html", HTTPStatus.FORBIDDEN, title="Not permitted", text=text)
        return None

    def _set_cookies(self, visit: Visit, sent: Mapping[str, str], answer: web.StreamResponse) -> None:
        if visit.begun:
            self._set_cookie(answer, self._session_cookie, visit.begun)
        elif visit.session is None and sent.get(self._form_cookie) != visit.cookie:
            self._set_cookie(answer, self._form_cookie, visit.cookie)

    def _set_cookie(self, answer: web.StreamResponse, name: str, value: str) -> None:
        """Set a cookie that no script reads, and that comes with no form of another site. It ends with the browser."""
        answer.set_cookie(name, value, httponly=True, samesite="Lax", secure=self._secure, path="/")


def _path_of(request: web.Request) -> str:
    """Return the path of the route of a request, empty if it has none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def _ask_to_sign_in(request: web.Request) -> web.Response:
    if request.method not in _READING:
        return render(request, "message.html", HTTPStatus.UNAUTHORIZED, title="Signed out", text=_SIGNED_OUT)
    if "HX-Request" in request.headers or request.headers.get("Accept") == "text/event-stream":
        return web.Response(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/sign-in"})
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": f"/sign-in?next={quote(request.path_qs, safe='/')}"})
