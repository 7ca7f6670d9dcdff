"""The receivers that ingress is measured beside, and how each is started."""

from typing import Final, NamedTuple

from bench.load import webhooks
from bench.peers.environment import Environment, NodeEnvironment, OwnEnvironment, PythonEnvironment

BARE: Final = "bare aiohttp"


class Receiver(NamedTuple):
    """A server; `program` is its command line, in which PORT stands for the port. `package` is whose version counts."""

    name: str
    environment: Environment
    package: str
    program: tuple[str, ...]

    def command(self, port: int) -> list[str]:
        """Return the command that serves on `port`."""
        return self.environment.command(*(word.replace("PORT", str(port)) for word in self.program))


_OWN: Final = OwnEnvironment()
_NODE: Final = NodeEnvironment("node_receivers")

RECEIVERS: Final = (
    Receiver(BARE, _OWN, "aiohttp", ("python", "-m", "bench.peers.bare_aiohttp", "PORT", webhooks.TARGET)),
    Receiver("naive aiohttp", _OWN, "aiohttp", ("python", "-m", "bench.peers.naive_aiohttp.app", "PORT")),
    Receiver(
        "FastAPI",
        PythonEnvironment("fastapi"),
        "fastapi",
        ("uvicorn", "bench.peers.fastapi.app:app", "--port", "PORT", "--no-access-log", "--log-level", "warning"),
    ),
    Receiver(
        "Flask",
        PythonEnvironment("flask"),
        "flask",
        (
            *("gunicorn", "--workers", "1", "--worker-class", "gthread", "--threads", "64", "--keep-alive", "60"),
            *("--log-level", "warning", "--bind", "127.0.0.1:PORT", "bench.peers.flask.app:app"),
        ),
    ),
    Receiver("Fastify", _NODE, "fastify", ("fastify.js", "PORT")),
    Receiver("Express", _NODE, "express", ("express.js", "PORT")),
)
"""All of them, the ceiling first."""
