"""What compose.yaml can do beside what it does by default, in real containers: `make test-compose`.

ADMIN_TOKEN for the admin ports, a forward that signs what it sends, and the console with a password.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from secrets import token_hex
from typing import Any, Final

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from hookline_console.access.passwords import hash_line
from hookline_console.access.people import Role
from tests.acceptance.support.stack import PUBLIC_URL, Stack
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.waiting import until

pytestmark = [
    pytest.mark.skipif("HOOKLINE_TEST_COMPOSE" not in os.environ, reason="containers take minutes: make test-compose"),
    pytest.mark.timeout(900),
]

PASSWORD: Final = "correct horse battery"
FORWARD: Final = '\n[[forward]]\npath = "/app"\nurl = "http://app:8000"\n'
HANDLERS: Final = 'from hookline import Handlers\n\nhandlers = Handlers()\nhandlers.ignore("message.status")\n'
"""For the smoke test, whose statuses go to no app here."""
APP: Final = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl

class App(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(json.dumps([self.path, self.headers["X-Twilio-Signature"], dict(parse_qsl(body))]), flush=True)
        self.send_response(204)
        self.end_headers()

HTTPServer(("", 8000), App).serve_forever()
"""
ASK: Final = """
from urllib.request import urlopen
urlopen("http://ingress:9080/metrics")
"""


@pytest.fixture
def app(stack: Stack) -> Iterator[str]:
    """Yield the container of an app in the network of the processors, which prints what it gets."""
    words = ["docker", "run", "--detach", "--rm", "--network", f"{stack.project}_inside", "--network-alias", "app"]
    done = stack.run(*words, "python:3.13-slim-trixie", "python", "-c", APP)
    assert done.returncode == 0, done.stdout
    yield done.stdout.strip()
    stack.run("docker", "rm", "--force", done.stdout.strip())


def requests_of(app: str) -> list[list[Any]]:
    """Return what the app got: path, signature and parameters of each request."""
    printed = subprocess.run(["docker", "logs", app], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def test_token_of_admin_ports(stack: Stack) -> None:
    """Prometheus has the metrics of all services, and the commands what they ask for; nobody else does."""
    stack.give("admin_token", token_hex(16))
    done = stack.deploy("--image", f"{stack.project}:current")
    assert done.returncode == 0, done.stdout
    assert "smoke: metrics of all services" in done.stdout
    assert "401" in stack.run("docker", "compose", "exec", "-T", "processor", "python", "-c", ASK).stdout
    done = stack.run("docker", "compose", "run", "--rm", "-T", "hookline", "doctor")
    assert done.returncode == 0, done.stdout
    readable = ("exec", "-T", "--user", "65534:10006", "prometheus", "cat")
    assert stack.compose(*readable, "/run/secrets/prometheus_token").strip() == stack.secret("admin_token")
    assert "Permission denied" in stack.run("docker", "compose", *readable, "/run/secrets/redis_url").stdout


async def test_forward_signs_with_its_token(stack: Stack, app: str) -> None:
    """With a link to the token of ingress, the app gets a signature that the library of Twilio accepts.

    Other files and folders that containers mount are no reason to start Redis again.
    """
    secrets = stack.folder / "deploy" / "secrets"
    (secrets / "forward_auth_token").symlink_to("twilio_auth_token")
    default = (stack.folder / "deploy" / "hookline.toml").read_text()
    (stack.folder / "forward.toml").write_text(default + FORWARD)
    bot = stack.folder / "bot"
    bot.mkdir()
    (bot / "statuses.py").write_text(HANDLERS)
    mounted = {"HANDLERS_DIR": "./bot", "HANDLERS_PACKAGE": "bot", "PROCESSOR_HANDLERS": "bot.statuses:handlers"}
    stack.write_settings(CONFIG_FILE="./forward.toml", PUBLIC_URL=PUBLIC_URL, **mounted)
    stores = stack.ids("redis", "postgres", "prometheus")
    done = stack.deploy("--image", f"{stack.project}:current")
    assert done.returncode == 0, done.stdout
    assert stack.ids("redis", "postgres", "prometheus") == stores
    sent = {"MessageSid": f"SM{token_hex(16)}", "AccountSid": f"AC{token_hex(16)}", "From": "+15005550006", "Body": "Hi"}
    signature = RequestValidator(stack.token).compute_signature(f"{PUBLIC_URL}/app/sms", sent)
    async with (
        aiohttp.ClientSession(f"http://{LOOPBACK}:{stack.port}") as client,
        client.post("/app/sms", data=sent, headers={"X-Twilio-Signature": signature}) as answer,
    ):
        assert answer.status == 200
    await until(lambda: requests_of(app) != [], "the app got it")
    ((path, signature, got),) = requests_of(app)
    assert (path, got) == ("/sms", sent)
    assert RequestValidator(stack.token).validate(f"http://app:8000{path}", got, signature)


async def test_console_signs_in(stack: Stack) -> None:
    """With a file of passwords, the console starts, lets in who is in it, and sees every service."""
    port = stack.settings["CONSOLE_PUBLISHED_PORT"] = str(free_port())
    stack.give("console_users", hash_line("ada", frozenset({Role.OPERATOR}), PASSWORD))
    others = stack.ids()
    stack.compose("run", "--rm", "-T", "secrets")
    stack.compose("--profile", "console", "up", "--detach", "--no-deps", "--force-recreate", "--wait", "console")
    assert others <= stack.ids(), "something else was replaced"
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(f"http://{LOOPBACK}:{port}", cookie_jar=jar) as browser:
        async with browser.get("/sign-in") as page:
            (token,) = re.findall(r'name="token" value="([^"]*)"', await page.text())
        fields = {"token": token, "name": "ada", "password": PASSWORD, "next": "/services"}
        async with browser.post("/sign-in", data=fields) as page:
            text = await page.text()
            assert (page.status, page.url.path) == (200, "/services"), text
    assert "cannot be reached" not in text
    assert "needs ADMIN_TOKEN" not in text
