"""`python -m bench.attacks`: attacks at an ingress of its own, while Twilio sends webhooks from the same address."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
import uvloop

from bench.attacks.attacker import Attacker
from bench.attacks.catalogue import ATTACKS, Attack
from bench.attacks.victim import Victim
from bench.load.private_ingress import private_ingress
from bench.system.machine import cpu_seconds, window_mb
from bench.system.processes import Child

_RATE: Final = 20.0
"""Genuine webhooks each second."""
_SETTINGS: Final = {"LOG_LEVEL": "info"}
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
            with (
                TemporaryDirectory(prefix="hookline-attack-") as directory,
                private_ingress(Path(directory), _SETTINGS) as ingress,
            ):
                print(uvloop.run(_measure(attack, ingress.child, ingress.port, seconds)), flush=True)


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


if __name__ == "__main__":
    typer.run(main)
