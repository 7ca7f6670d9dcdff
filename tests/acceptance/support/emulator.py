"""The emulator of Twilio by vercel-labs, `emulate`, as a process: it signs webhooks on its own and sends them by itself."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.waiting import until_answer

FOLDER: Final = Path(__file__).parents[1] / "emulator"
ACCOUNT: Final = "AC" + "e" * 32
AUTH_TOKEN: Final = "e0123456789abcdef0123456789abcde"
NUMBER: Final = "+15551234567"


def missing() -> str:
    """Return why the emulator cannot run, empty if it can."""
    if shutil.which("node") is None:
        return "there is no Node.js, which runs the emulator"
    return "" if (FOLDER / "node_modules" / "emulate").exists() else "the emulator is not installed: run make emulator"


@dataclass(frozen=True)
class Emulator:
    """A running emulator, whose number calls the webhooks of one ingress."""

    session: aiohttp.ClientSession
    base: str

    async def post(self, path: str, **params: str) -> dict[str, Any]:
        """Ask its API for something; return the answer. Webhooks were sent by then."""
        async with self.session.post(f"{self.base}{path}", data=params) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status < 300, answer
            return answer

    async def simulate(self, what: str, **params: str) -> dict[str, Any]:
        """Let something happen in the telephone network."""
        return await self.post(f"/_twilio/simulate/{what}", **params)

    async def answers(self) -> bool:
        """Whether it answers yet."""
        try:
            async with self.session.get(f"{self.base}/2010-04-01/Accounts/{ACCOUNT}.json") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def running_emulator(folder: Path, webhooks: str) -> AsyncIterator[Emulator]:
    """Run an emulator that sends webhooks to the base URL `webhooks`; its files, such as its log, are in `folder`."""
    port = free_port()
    seed = folder / "emulator.json"
    seed.write_text(json.dumps({"twilio": _seed(webhooks)}))
    entry = FOLDER / "node_modules" / "emulate" / "dist" / "index.js"
    command = ["node", "--require", str(FOLDER / "loopback.cjs"), str(entry), "start", "--service", "twilio"]
    with (folder / "emulator.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, "--port", str(port), "--seed", str(seed), cwd=folder, stdout=log, stderr=log
        )
    try:
        async with aiohttp.ClientSession(headers={"Authorization": aiohttp.encode_basic_auth(ACCOUNT, AUTH_TOKEN)}) as session:
            emulator = Emulator(session, f"http://{LOOPBACK}:{port}")
            await until_answer(emulator.answers, bool, "the emulator answers")
            yield emulator
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _seed(webhooks: str) -> Mapping[str, Any]:
    number = {
        "phone_number": NUMBER,
        "friendly_name": "Hookline",
        "sms_url": f"{webhooks}/twilio/message",
        "voice_url": f"{webhooks}/twilio/voice?step=1",
        "status_callback": f"{webhooks}/twilio/call-status",
    }
    return {"account": {"sid": ACCOUNT, "auth_token": AUTH_TOKEN, "friendly_name": "Test"}, "phone_numbers": [number]}
