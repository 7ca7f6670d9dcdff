"""Opening a TCP port for aiohttp, with an error that a person can act on."""

import errno

from aiohttp import web

from shared.errors import AddressError, PortTakenError


async def listen(runner: web.BaseRunner, host: str, port: int, *, setting: str) -> int:
    """Listen on `host`:`port` for `runner`, which must be set up; gives the port, chosen by the system if `port` is 0.

    Raises:
        PortTakenError: naming the settings that begin with `setting`, if another program listens there.
        AddressError: likewise, if that cannot be listened on for another reason.

    """
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(host, port, setting) from error
        raise AddressError(host, port, setting, error.strerror or str(error)) from error
    return int(runner.addresses[-1][1])
