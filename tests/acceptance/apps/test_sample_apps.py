"""Apps of others, changed by one URL: their validators accept what is forwarded, their sessions and relative actions work.

`make sample-apps` installs them and runs this.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.support.inbound.webhooks import TOKEN, Twilio
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.services import Services
from tests.support.servers.caller import Caller
from tests.support.servers.fake_twilio import ACCOUNT, FakeTwilio, fake_twilio
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until, until_answer

HERE = Path(__file__).parent
COMMANDS = {
    "flask": [os.environ.get("HOOKLINE_TEST_APPS_PYTHON", sys.executable), str(HERE / "flask_app.py"), "{port}"],
    "express": ["node", str(HERE / "express" / "app.js"), "{port}"],
    "php": ["php", "-d", "session.save_path={folder}", "-S", f"{LOOPBACK}:{{port}}", str(HERE / "php" / "index.php")],
}
"""How each app is started: on which port, and in which folder it may keep its sessions."""

pytestmark = pytest.mark.skipif("HOOKLINE_TEST_APPS" not in os.environ, reason="run make sample-apps")


@dataclass
class Running:
    """Both services, an app behind them, and the Twilio to which replies go."""

    client: IngressClient
    twilio: FakeTwilio
    command: list[str]
    port: int
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the app, and wait until it listens."""
        environment = {"PATH": os.environ["PATH"], "TWILIO_AUTH_TOKEN": TOKEN}
        self.process = await asyncio.create_subprocess_exec(
            *self.command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await until_answer(self._listens, lambda listens: listens, "the app listens")

    async def stop(self) -> None:
        """Kill the app."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def write(self, number: int, sender: str = "+14155550123") -> None:
        """Send a message as a customer does."""
        params = [("MessageSid", f"SM{number:032x}"), ("From", sender), ("To", "+18005551212"), ("Body", f"text {number}")]
        params += [("AccountSid", ACCOUNT), ("SmsStatus", "received"), ("NumMedia", "0")]
        assert (await self.client.post(Twilio().webhook(params, "/sms"))).body == b"<Response/>"

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except OSError:
            return False
        writer.close()
        return True


@pytest.fixture(params=list(COMMANDS))
async def running(
    request: pytest.FixtureRequest, own_redis: RedisServer, services: Services, tmp_path: Path
) -> AsyncIterator[Running]:
    """Yield services that forward everything to an app."""
    command = COMMANDS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    port = free_port()
    command = [word.format(port=port, folder=tmp_path) for word in command]
    async with fake_twilio() as twilio, aiohttp.ClientSession() as session:
        settings = ingress_settings(own_redis.url) | {"FORWARD_URL": f"http://{LOOPBACK}:{port}/sms"}
        ingress = await services.ingress(settings).start()
        sender = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_API_SECRET": "secret", "TWILIO_API_URL": twilio.url}
        await services.processor(settings | sender).start()
        running = Running(IngressClient(session, ingress.port), twilio, command, port)
        await running.start()
        yield running
        await running.stop()


async def test_unmodified_app(running: Running) -> None:
    """Messages are answered with the session of each conversation; a call goes through its menu."""
    for number in range(3):
        await running.write(number)
    await running.write(7, "+14155550999")
    await until(lambda: len(running.twilio.messages) == 4, "all are answered")
    assert [one["body"] for one in running.twilio.messages if one["to"] == "+14155550123"] == [
        f"{number + 1}: text {number}" for number in range(3)
    ]
    caller = await Caller([running.client]).call()
    await caller.press("4")
    assert caller.heard == ["press a key", "you pressed 4"]
    assert caller.holds == 0


async def test_deploy_of_the_app(running: Running) -> None:
    """While it is away, nobody is refused: messages wait in order, and a caller hears a pause until it is back."""
    await running.stop()
    for number in range(20):
        await running.write(number, f"+1415555{number % 5:04}")
    caller = Caller([running.client])
    calling = asyncio.create_task(caller.call())
    await until(lambda: caller.holds > 0, "the call is held")
    await running.start()
    await calling
    assert caller.heard == ["press a key"]
    await until(lambda: len(running.twilio.messages) == 20, "all are answered")
    for sender in range(5):
        bodies = [one["body"] for one in running.twilio.messages if one["to"] == f"+1415555{sender:04}"]
        assert bodies == [f"{at + 1}: text {number}" for at, number in enumerate(range(sender, 20, 5))]
