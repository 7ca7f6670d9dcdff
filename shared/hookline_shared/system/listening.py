"""Opens TCP ports, with errors that say what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from hookline_shared.errors import AddressError, PortTakenError
from hookline_shared.system.forked import close_in_children


@contextmanager
def explain_os_error(host: str, port: int, *, setting: str) -> Iterator[None]:
    """Translate the errors of listening on `host`:`port` in the `with` block.

    Raises:
        PortTakenError: naming the settings that begin with `setting`, if another program listens there.
        AddressError: likewise, if this machine cannot listen there for another reason.

    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(host, port, setting) from error
        raise AddressError(host, port, setting, error.strerror or str(error)) from error


async def listen(runner: web.BaseRunner, host: str, port: int, *, setting: str) -> int:
    """Listen on `host`:`port` for `runner`, which must be set up; return the port, chosen by the system if `port` is 0.

    Raises:
        PortTakenError: as `explain_os_error` does.
        AddressError: likewise.

    """
    with explain_os_error(host, port, setting=setting):
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
    for opened in getattr(site._server, "sockets", ()):
        close_in_children(opened.fileno())
    return int(runner.addresses[-1][1])
