"""`hookline up`: Redis, ingress and processor on one machine, started and stopped together."""

import asyncio
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape

from hookline_cli.admin_address import LOOPBACK, AdminAddress, admin_headers, reachable
from hookline_cli.ledger.database import prepare_ledger
from hookline_cli.settings.rows import secrets
from hookline_cli.settings.running import public_settings
from hookline_cli.up import embedded_redis
from hookline_cli.up import ingress_processes as ingresses
from hookline_cli.up.child_process import (
    READY_TIMEOUT_S,
    ChildProcess,
    UpError,
    for_processor,
    not_ready,
    python_command,
    without_secrets,
)
from hookline_cli.up.ingress_processes import IngressProcess
from hookline_cli.up.instructions import instructions
from hookline_cli.up.reload import FRESH, ReloadedProcess, ensure_watchfiles
from hookline_cli.workspace import StackFacts, Workspace
from hookline_ingress.settings import IngressSettings
from hookline_processor.ledger.settings import SettingsWithLedger
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import PortTakenError
from hookline_shared.observability.standard_streams import protect_output
from hookline_shared.settings.base import secrets_of
from hookline_shared.settings.config_file import read_config_file
from hookline_shared.settings.fallbacks import find_fallbacks
from hookline_shared.settings.secret_files import names_file

_LEDGER_NEEDS: Final = ("sqlalchemy", "alembic", "aiosqlite")
_EXAMPLE: Final = "examples.greeter"


def up(
    data: Annotated[Path, typer.Option(help="Folder for all data.")] = Path("var"),
    port: Annotated[int | None, typer.Option(help="Port for webhooks; 8080 unless INGRESS_PORT is set.")] = None,
    handlers: Annotated[str | None, typer.Option(help="Your handlers, as module:attribute.")] = None,
    forward: Annotated[str | None, typer.Option(help="URL of your app's webhook: http://localhost:3000/sms.")] = None,
    ingress: Annotated[int, typer.Option(min=1, max=ingresses.MOST, help="Ingress processes that share the port.")] = 1,
    reload: Annotated[bool, typer.Option("--reload", help="Restart the processor when a Python file here changes.")] = False,
) -> None:
    """Start Redis, ingress and processor on this machine; Ctrl-C stops them. Accepted events are kept for the next start.

    Settings come from the environment, from .env, and from hookline.toml in this folder or the file of HOOKLINE_CONFIG.

    Example: hookline up --handlers bot:handlers

    Example: hookline up --forward http://localhost:3000/sms
    """
    if reload:
        ensure_watchfiles()
    options = {"INGRESS_PORT": port and str(port), "PROCESSOR_HANDLERS": handlers, "FORWARD_URL": forward}
    given = {name: value for name, value in options.items() if value}
    workspace = Workspace(data)
    workspace.lock()
    defaults = _defaults(workspace, {**os.environ, **given})
    chosen = defaults | given
    settings, processor = IngressSettings.load(chosen), ProcessorSettings.load(chosen)
    planned = ingresses.plan(settings, ingress, processor.admin_port)
    if settings.spool_path is not None:
        ingresses.check_left_over(settings.spool_path, ingress)
    if processor.ledger.url is not None:
        prepare_ledger(processor.ledger)
    protect_output()  # it stops the services, whether or not somebody reads what it prints
    parts = StackParts(settings, planned, processor, starts_redis="REDIS_URL" in defaults)
    asyncio.run(LocalStack(workspace, parts, {**os.environ, **chosen}, reload=reload).run())


def _defaults(workspace: Workspace, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values for one machine of variables for which no value is set, in `environment` or elsewhere."""
    config = read_config_file(environment)
    port = next((one.value for one in find_fallbacks(IngressSettings.fallbacks, config, environment)), None)
    files = {name for name in secrets() if names_file(name, environment)}
    already_set = {name for name, value in environment.items() if value} | config.keys() | files
    defaults = {
        "REDIS_URL": f"unix://{workspace.redis_socket}",
        "PUBLIC_URL": f"http://127.0.0.1:{environment.get('INGRESS_PORT') or config.get('INGRESS_PORT') or port or 8080}",
        "INGRESS_HOST": "0.0.0.0" if port else "127.0.0.1",  # noqa: S104 - a platform that sets PORT calls it from outside
        "LOG_FORMAT": "console",
    }
    if "INGRESS_SPOOL_PATH" not in environment:  # an empty one disables the spool
        defaults["INGRESS_SPOOL_PATH"] = str(workspace.spool)
    if _lacks_ledger(config, environment):
        defaults["HOOKLINE_LEDGER_URL"] = f"sqlite:///{workspace.ledger.resolve()}"
    if "TWILIO_AUTH_TOKEN" not in already_set:
        defaults["TWILIO_AUTH_TOKEN"] = workspace.development_token()
    if _has_example() and not {"FORWARD", "FORWARD_URL"} & already_set:
        defaults["PROCESSOR_HANDLERS"] = f"{_EXAMPLE}:handlers"
    return {name: value for name, value in defaults.items() if name not in already_set}


def _has_example() -> bool:
    """Whether this is a clone of Hookline with its examples, not hidden by an `examples` folder of the user."""
    found = importlib.util.find_spec("examples")
    if found is None or found.origin is None:
        return False
    ours, users = Path(found.origin).parent, Path("examples")
    return (ours / f"{_EXAMPLE.rpartition('.')[2]}.py").exists() and (not users.exists() or users.samefile(ours))


def _lacks_ledger(config: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether the ledger is installed and no database is set. HOOKLINE_LEDGER_URL= (empty) disables the ledger."""
    found = list(find_fallbacks(SettingsWithLedger.fallbacks, config, environment))
    for one in found:
        if one.obstacle:
            sys.stderr.write(f"hookline: {one}\n")
    named = "HOOKLINE_LEDGER_URL" in environment or any(not one.obstacle for one in found)
    return not named and all(map(importlib.util.find_spec, _LEDGER_NEEDS))


class StackParts(NamedTuple):
    """What runs: both services, with ingress in the processes `ingresses`, and a Redis server if `starts_redis`."""

    ingress: IngressSettings
    ingresses: Sequence[IngressProcess]
    processor: ProcessorSettings
    starts_redis: bool


class LocalStack:
    """Runs `parts`, whose processes have the variables of `environment`.

    With `reload`, the processor is replaced when the code in the working folder changes.
    """

    def __init__(self, workspace: Workspace, parts: StackParts, environment: Mapping[str, str], *, reload: bool) -> None:
        self._workspace = workspace
        self._ingress, self._ingresses, self._processor, self._starts_redis = parts
        self._environment = environment
        self._sources = Path.cwd() if reload else None
        self._console = Console(stderr=True)
        self._processes: list[ChildProcess | ReloadedProcess] = []
        self._interrupted = asyncio.Event()

    async def run(self) -> None:
        """Start all processes, wait for Ctrl-C, stop them.

        Raises:
            PortTakenError: if another program, or another stack, has the admin port of a process.
            UpError: if a process did not become ready, or ended by itself.

        """
        self._check_ports()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._interrupted.set)
        try:
            await self._start()
            died = await self._first_to_end(self._wait_until_ready())
            if died is None and not self._interrupted.is_set():
                self._print_instructions()
                died = await self._first_to_end(self._interrupted.wait())
        finally:
            await self._stop()
        if died is not None:
            where = f"in {self._workspace.redis_data}/redis.log" if died.name == "redis" else "above"
            raise UpError(f"The {died.name} ended by itself with code {await died.ended()}; its last lines are {where}.")

    def _check_ports(self) -> None:
        """Check that no other program answers on an admin port: its answers would be taken for those of our process."""
        for name, port in self._admin_ports().items():
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, port)) == 0:
                    setting = "PROCESSOR_ADMIN" if name == "processor" else "INGRESS_ADMIN"
                    raise PortTakenError(LOOPBACK, port, setting)

    async def _start(self) -> None:
        # A process that is started later reads .env again, which must not move it to other keys.
        environment = {**self._environment, "HOOKLINE_PREFIX": self._ingress.redis.prefix}
        if self._starts_redis:
            server = embedded_redis.find_server()
            embedded_redis.check_data(server, self._workspace.redis_data)
            command = embedded_redis.arguments(server, self._workspace.redis_data, self._workspace.redis_socket)
            bare = without_secrets(environment, keep=())
            self._processes.append(await ChildProcess.start("redis", command, bare, [self._workspace.lock_descriptor]))
        self._processes.append(await self._start_processor(environment))
        for one in self._ingresses:
            own = without_secrets(environment, keep=secrets_of(IngressSettings)) | one.environment()
            self._processes.append(await ChildProcess.start(one.name, python_command("hookline_ingress"), own))
        self._note_processes()

    async def _start_processor(self, environment: Mapping[str, str]) -> ChildProcess | ReloadedProcess:
        forwards = bool(self._processor.forwards)

        def launch() -> Coroutine[object, object, ChildProcess]:
            own = without_secrets(environment, keep=for_processor(forwards=forwards)) | (FRESH if self._sources else {})
            return ChildProcess.start("processor", python_command("hookline_processor"), own)

        if self._sources is None:
            return await launch()
        admin = (self._processor.admin_port, self._processor.admin_token)
        processor = ReloadedProcess(*admin, launch, self._print, self._note_processes)
        await processor.start(self._sources, self._workspace.path.resolve())
        return processor

    def _print(self, text: str) -> None:
        self._console.print(text, style="bold", markup=False, highlight=False, soft_wrap=True)

    def _note_processes(self) -> None:
        self._workspace.note_processes(process.pid for process in self._processes)

    async def _first_to_end(self, other: Coroutine[object, object, object]) -> ChildProcess | ReloadedProcess | None:
        """Wait for `other` or until a process ends; return that process."""
        waits: dict[asyncio.Future[Any], ChildProcess | ReloadedProcess] = {
            asyncio.ensure_future(process.ended()): process for process in self._processes
        }
        rest = asyncio.ensure_future(other)
        done, pending = await asyncio.wait([*waits, rest], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if rest in done:
            rest.result()
        return next((waits[task] for task in done if task in waits), None)

    async def _wait_until_ready(self) -> None:
        """Wait until every process is ready or Ctrl-C is pressed. A process with --reload that has ended is not waited for.

        Raises:
            UpError: if a process is not ready in time, counted from the one before.

        """
        async with aiohttp.ClientSession(headers=admin_headers(self._ingress.admin_token)) as session:
            for name, port in self._admin_ports().items():
                deadline = asyncio.get_running_loop().time() + READY_TIMEOUT_S
                while self._is_awaited(name) and (problem := await not_ready(session, port)):
                    if asyncio.get_running_loop().time() > deadline:
                        raise UpError(f"The {name} is not ready after {READY_TIMEOUT_S:.0f} s: {problem}")
                    await asyncio.sleep(0.05)

    def _is_awaited(self, name: str) -> bool:
        if self._interrupted.is_set():
            return False
        return not any(
            isinstance(process, ReloadedProcess) and not process.running for process in self._processes if process.name == name
        )

    def _admin_ports(self) -> dict[str, int]:
        return {one.name: one.admin_port for one in self._ingresses} | {"processor": self._processor.admin_port}

    def _stack_facts(self) -> StackFacts:
        token = self._workspace.development_token()
        return StackFacts(
            public_url=self._ingress.public_urls[0],
            auth_token=token if self._ingress.auth_tokens == (token,) else "",
            redis_url="" if self._ingress.redis.server.secrets else self._ingress.redis.url,
            admin_ports=self._admin_ports(),
            local_url=f"http://{AdminAddress('', reachable(self._ingress.host), self._ingress.port).place}",
            settings=public_settings(self._ingress, self._processor, self._environment),
        )

    def _print_instructions(self) -> None:
        self._workspace.announce(self._stack_facts())
        data = f"{self._workspace.path}/" if self._starts_redis else "in the Redis of REDIS_URL"
        self._console.print("\n[bold green]Hookline is up.[/]")
        for name, text in instructions(self._ingress, self._processor, data, self._admin_ports().values()):
            self._console.print(f"  [dim]{name:9}[/] {escape(text)}", highlight=False, soft_wrap=True)
        self._console.print()

    async def _stop(self) -> None:
        self._interrupted.clear()
        for process in self._processes:
            if isinstance(process, ReloadedProcess):
                process.stop_watching()
        second_signal = asyncio.ensure_future(self._stop_at_once_on_signal())
        ingress_names = {one.name for one in self._ingresses}
        await asyncio.gather(*(process.stop() for process in self._processes if process.name in ingress_names))
        for process in reversed([process for process in self._processes if process.name not in ingress_names]):
            await process.stop()
        second_signal.cancel()
        self._workspace.withdraw()
        self._workspace.note_processes([])

    async def _stop_at_once_on_signal(self) -> None:
        """On a second Ctrl-C, stop at once; unfinished events stay pending in Redis."""
        await self._interrupted.wait()
        for process in self._processes:
            process.terminate()
