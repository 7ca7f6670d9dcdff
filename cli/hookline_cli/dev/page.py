"""The page of `hookline dev`: the last webhooks with their bodies and answers, and a button that sends one again.

It shows everything unmasked, so it listens on loopback only, and every path begins with a secret that only the terminal shows.
Whoever does not know it, such as another web page in the same browser, can neither read nor send anything.
"""

import asyncio
import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

from hookline_cli.dev.again import NotAgainError, again
from hookline_cli.dev.recent import RecentWebhook, RecentWebhooks
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_cli.tail.timeline import Timeline
from hookline_cli.workspace import Workspace
from hookline_ingress.signatures.secrets import parse_secrets
from hookline_shared.errors import HooklineError
from hookline_shared.live import decode_answer, digest_of, live_of
from hookline_shared.partitions import partition_of
from hookline_shared.settings.secret_files import read_secret_files
from hookline_shared.streams.follow import Follower
from hookline_shared.streams.locate import server_time_ms

_TOKEN: Final = "TWILIO_AUTH_TOKEN"  # noqa: S105 - the name of a variable
_WAIT_S: Final = 2.0
_POLL_S: Final = 0.3
_RETRY_S: Final = 0.2
_SEND_S: Final = 20.0
_LONGEST_ANSWER: Final = 2000
_MOST_READS: Final = 64
_MOST_ASKED: Final = 500
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STATIC: Final = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}


class DevPage:
    """Follows the stack of the folder `data`, and serves the page. `secret` is the first part of its paths."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.secret = secrets.token_urlsafe(16)
        self.webhooks = RecentWebhooks()
        self.is_following = False

    def application(self) -> web.Application:
        """Return what serves the page."""
        application = web.Application()
        application.router.add_get(f"/{self.secret}/webhooks", self._list)
        application.router.add_post(f"/{self.secret}/again/{{event}}", self._again)
        for path, (name, content_type) in _STATIC.items():
            application.router.add_get(f"/{self.secret}/{path}", partial(_static, name, content_type))
        return application

    async def follow(self) -> None:
        """Note what happens in Redis, for ever; wait while the stack is not up."""
        while True:
            await self.follow_stack()
            await asyncio.sleep(_RETRY_S)

    async def follow_stack(self) -> None:
        """Note what happens in the Redis of the stack, until that does not answer. Return at once if the stack is not up.

        Before, nothing tells which Redis it has: that of the settings may be another stack's.
        """
        if not Workspace(self._data).announced().local_url:
            return
        try:
            async with open_redis_session(find_settings(self._data), _MOST_READS) as session:
                await self._follow(session)
        except* HooklineError:
            pass  # it does not answer, or has not been used yet

    async def _follow(self, session: RedisSession) -> None:
        timeline = Timeline(lambda _topic, event: event is not None)
        follower = Follower(session.redis, session.partitions, list(session.topics))
        await follower.start()
        self.is_following = True

        async def accept(partitions: list[int]) -> None:
            while True:
                self.webhooks.note(timeline.accepted(await follower.wait(partitions, _WAIT_S)))

        async def poll() -> None:
            while True:
                gone = await follower.removed(timeline.next_to_ask(_MOST_ASKED))
                now_ms = await server_time_ms(session.redis)
                letters, _ = await follower.new_dead_letters()
                for done in self.webhooks.note(timeline.ended(gone, letters, now_ms)):
                    await _add_live_answer(session, done)
                await asyncio.sleep(_POLL_S)

        async with asyncio.TaskGroup() as group:
            for partitions in follower.groups():
                group.create_task(accept(partitions))
            group.create_task(poll())

    async def _list(self, _request: web.Request) -> web.Response:
        shown = [webhook.shown() for webhook in self.webhooks.newest_first()]
        return web.Response(body=msgspec.json.encode(shown), content_type="application/json", headers=_HEADERS)

    async def _again(self, request: web.Request) -> web.Response:
        webhook = self.webhooks.find(request.match_info["event"])
        if webhook is None:
            return web.Response(status=404, text="It is forgotten: only the last hundred are kept.", headers=_HEADERS)
        webhook.again = await self.send_again(webhook)
        return web.Response(text=webhook.again, headers=_HEADERS)

    async def send_again(self, webhook: RecentWebhook) -> str:
        """Send `webhook` to ingress once more; return how that answered, or why it did not."""
        facts = Workspace(self._data).announced()
        token = facts.auth_token or _token()
        if not token:
            return "There is no auth token to sign with: set TWILIO_AUTH_TOKEN where you start hookline dev."
        try:
            made = again(webhook.event, facts.public_url, token)
        except NotAgainError as error:
            return f"It cannot be sent again. {error}"
        url = made.url.replace(facts.public_url.rstrip("/"), (facts.local_url or facts.public_url).rstrip("/"), 1)
        exact = URL(url, encoded=True)  # aiohttp would write its query in another way, for which it is not signed
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SEND_S)) as client,
                client.request(
                    made.method, exact, headers=made.headers, data=made.body or None, allow_redirects=False
                ) as answer,
            ):
                return f"{answer.status} {(await answer.text())[:_LONGEST_ANSWER]}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"ingress does not answer: {error}"


async def _add_live_answer(session: RedisSession, webhook: RecentWebhook) -> None:
    """Note the answer to a call, which Redis keeps for a minute and more."""
    event = webhook.event
    if live_of(event.dedupe_key) is None:
        return
    key = session.redis.keys.answer(partition_of(event.key, session.partitions), digest_of(event.dedupe_key))
    answer = decode_answer(await session.redis.execute("answer", key, "GET", key))
    if answer is not None and answer.body:
        webhook.answers.append(answer.body)


def _token() -> str:
    """Return the auth token of this process, an empty string if it has none."""
    given = os.environ.get(_TOKEN) or read_secret_files([_TOKEN]).get(_TOKEN, "")
    tokens = parse_secrets(filter(None, (part.strip() for part in given.split(","))))
    return tokens[0].value.decode() if tokens else ""


@contextmanager
def served(data: Path) -> Iterator[str]:
    """Serve the page in a thread of its own while the `with` block runs; yield its URL.

    Raises:
        OSError: if it cannot listen.

    """
    loop, page, url = asyncio.new_event_loop(), DevPage(data), Future[str]()

    async def serve() -> None:
        runner = web.AppRunner(page.application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}/{page.secret}/")
        try:
            await page.follow()
        finally:
            await runner.cleanup()

    task = loop.create_task(serve())

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        except Exception as error:
            if url.done():
                raise
            url.set_exception(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="page of hookline dev", daemon=True)
    thread.start()
    try:
        yield url.result()
    finally:
        with suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(task.cancel)
        thread.join(5)


async def _static(name: str, content_type: str, _request: web.Request) -> web.Response:
    content = (files("hookline_cli.dev") / name).read_text()
    return web.Response(text=content, content_type=content_type, headers=_HEADERS)
