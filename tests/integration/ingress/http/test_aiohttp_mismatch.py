"""An aiohttp with other internals than ingress uses: it ends at once with one line, and no request hangs."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from hookline_shared.distribution import requirement
from hookline_shared.lifecycle.service import EXIT_FAILED
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.servers.redis_server import RedisServer

BUILT_OTHERWISE = """
class HttpRequestParser(http.HttpRequestParser):
    def __init__(self, protocol, loop, limit, *, auto_decompress):
        super().__init__(protocol, loop, limit, auto_decompress=auto_decompress)
http.HttpRequestParser = HttpRequestParser
"""
CALLED_OTHERWISE = """
class HttpRequestParser:
    def __init__(self, *args, **options):
        self._parser = real(*args, **options)
    def feed(self, data):
        return self._parser.feed_data(data)
real, http.HttpRequestParser = http.HttpRequestParser, HttpRequestParser
"""
READS_OTHERWISE = """
class HttpRequestParser(http.HttpRequestParser):
    def feed_data(self, data):
        return super().feed_data(data.replace(b"Length: 4", b"Length: 5"))
http.HttpRequestParser = HttpRequestParser
"""
GONE = "del http.HttpRequestParser"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(BUILT_OTHERWISE, id="built otherwise"),
        pytest.param(CALLED_OTHERWISE, id="called otherwise"),
        pytest.param(READS_OTHERWISE, id="reads otherwise"),
        pytest.param(GONE, id="gone"),
    ],
)
def test_one_line_says_what_to_install(change: str, redis_server: RedisServer, tmp_path: Path) -> None:
    """Ingress exits before it listens, and names the version that is there, those that it works with, and the command."""
    line = only_line(f"from aiohttp import http\n{change}", {}, redis_server, tmp_path)
    supported = requirement("aiohttp")
    assert f"aiohttp {version('aiohttp')} is installed, with which no webhook could be read" in line
    assert f"It works with {supported}: run pip install '{supported}'." in line


def test_parser_in_python_is_not_used(redis_server: RedisServer, tmp_path: Path) -> None:
    """Ingress does not read requests with aiohttp's other parser, in which most of the published weaknesses were."""
    line = only_line("", {"AIOHTTP_NO_EXTENSIONS": "1"}, redis_server, tmp_path)
    assert "so ingress does not start. Unset AIOHTTP_NO_EXTENSIONS" in line


def only_line(change: str, environment: Mapping[str, str], redis_server: RedisServer, folder: Path) -> str:
    """Start an ingress after the statements `change`; return the one line about aiohttp with which it exits."""
    program = f"import sys\n{change}\nfrom hookline_ingress.main import main\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LOG_FORMAT": "json", **ingress_settings(redis_server.url), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == EXIT_FAILED
    assert "Traceback" not in done.stderr
    assert '"event":"listening"' not in done.stderr.replace(" ", "")
    (line,) = [line for line in done.stderr.splitlines() if "aiohttp" in line]
    return line
