"""Opening a TCP port for aiohttp, with an error that a person can act on."""

import errno

from aiohttp import web

from shared.errors import PortTakenError


async def listen(runner: web.BaseRunner, host: str, port: int, *, setting: str) -> int:
    """Listen on `host`:`port` for `runner`, which must be set up; gives the port, chosen by the system if `port` is 0.

    Raises:
        PortTakenError: naming `setting`, if another program listens there.

    """
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(host, port, setting) from error
        raise
    return int(runner.addresses[-1][1])
