"""What `hookline up` prints when everything is up."""

from collections.abc import Collection, Iterator
from importlib.util import find_spec
from typing import Final

from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings

_CONSOLE_NEEDS: Final = ("argon2", "jinja2")


def instructions(
    ingress: IngressSettings, processor: ProcessorSettings, data: str, admin_ports: Collection[int]
) -> Iterator[tuple[str, str]]:
    """Yield the lines: where webhooks go and what handles them, where `data` are, and how to go on."""
    base, forwards = ingress.public_urls[0], processor.forwards
    yield "webhooks", f"{base}/twilio"
    for one in forwards:
        yield "forward", f"{base}{one.path} to {one.url}"
    if processor.handlers or not forwards:
        yield "handlers", processor.handlers or "none: events are logged and settled"
    yield "health", " and ".join(f"http://127.0.0.1:{port}/readyz?verbose" for port in admin_ports)
    yield "data", data
    yield "try", "hookline send message --body hello   (in a second terminal)"
    if all(map(find_spec, _CONSOLE_NEEDS)):
        yield "console", "hookline console   (likewise), and open the link that it prints"
    yield "stop", "Ctrl-C; what was accepted is kept for the next start"
