"""`python -m bench.attacks`: attacks at an ingress of its own, while Twilio sends webhooks from the same address."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
import uvloop

from bench.attacks.attacker import Attacker
from bench.attacks.catalogue import ATTACKS, Attack
from bench.attacks.victim import Victim
from bench.load.webhooks import PUBLIC_URL, TOKEN
from bench.system.machine import cpu_seconds, window_mb
from bench.system.private_redis import private_redis
from bench.system.probes import is_ready
from bench.system.processes import Child, free_port, module, running

_RATE: Final = 20.0
"""Genuine webhooks each second."""
_HEADER: Final = (
    f"{'':27}{'attacker':^36}  {'ingress':^17}  {'genuine webhooks':^33}\n"
    f"{'attack':27}{'conns/s':>9}{'requests/s':>11}{'MB/s':>8}{'CPU':>8}  {'CPU':>5}{'memory':>12}  "
    f"{'accepted':>11}{'p50':>7}{'p99':>7}{'max':>8}"
)


def main(
    seconds: Annotated[float, typer.Option(help="Seconds of each attack.")] = 10.0,
    only: Annotated[str, typer.Option(help="Only attacks with this in their name.")] = "",
) -> None:
    """Attack an ingress, and print what it cost whom."""
    print(_HEADER, flush=True)
    for attack in (Attack("none", 0, b""), *ATTACKS):
        if only in attack.name:
            with TemporaryDirectory(prefix="hookline-attack-") as directory, _ingress(Path(directory)) as (child, port):
                print(uvloop.run(_measure(attack, child, port, seconds)), flush=True)


async def _measure(attack: Attack, child: Child, port: int, seconds: float) -> str:
    """Carry out `attack`; return a line of figures."""
    memory, cpu = window_mb(child.pid) or 0.0, cpu_seconds(child.pid) or 0.0
    attacker, victim = Attacker(attack, port), Victim(port)
    attacker.start()
    await asyncio.sleep(0.5)
    await victim.send(_RATE, int(seconds * _RATE))
    await attacker.stop()
    child.check()
    took = seconds + 0.5
    cost, used = attacker.cost, ((cpu_seconds(child.pid) or 0.0) - cpu) / took
    grown = (window_mb(child.pid, "VmHWM") or 0.0) - memory
    sent = sum(victim.statuses.values())
    waits = "".join(f"{victim.percentile(share) * 1000:>7.0f}" for share in (0.5, 0.99, 1.0))
    return (
        f"{attack.name:27}{cost.connections / took:>9,.0f}{cost.requests / took:>11,.0f}{cost.sent_bytes / took / 1e6:>8.1f}"
        f"{cost.cpu_s / took:>8.0%}  {used:>5.0%}{grown:>+9.1f} MB  {victim.accepted:>5} of {sent:<3}{waits} ms"
    )


@contextmanager
def _ingress(directory: Path) -> Iterator[tuple[Child, int]]:
    port, admin_port = free_port(), free_port()
    with private_redis(directory, None) as redis:
        settings = {
            "REDIS_URL": redis.url,
            "PUBLIC_URL": PUBLIC_URL,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "INGRESS_HOST": "127.0.0.1",
            "INGRESS_PORT": str(port),
            "INGRESS_ADMIN_PORT": str(admin_port),
            "INGRESS_SPOOL_PATH": str(directory / "spool.db"),
        }
        with running("ingress", module("hookline_ingress"), directory, None, settings) as child:
            child.wait_until(partial(is_ready, admin_port))
            yield child, port


if __name__ == "__main__":
    typer.run(main)
