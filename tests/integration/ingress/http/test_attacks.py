"""The attacks of `make attacks`, each for as long as Twilio needs to deliver some webhooks from the same address."""

from typing import Final

import pytest

from bench.attacks.attacker import Attacker
from bench.attacks.catalogue import ATTACKS, Attack
from bench.attacks.victim import Victim
from bench.load.webhooks import PUBLIC_URL, TOKEN
from bench.system.machine import window_mb
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.services import Services
from tests.support.waiting import until_answer

WEBHOOKS: Final = 20
RATE: Final = 40.0
CONNECTIONS: Final = 32
OWN_MB: Final = 16.0
"""What ingress may take besides, for its caches and for what it answers."""
MB_OF_A_CONNECTION: Final = {
    "unfinished heads": 0.1,
    "a request and a half": 0.05,
    "100-continue, byte by byte": 0.05,
    "idle connections": 0.05,
    "half-sent bodies": 1.3,
    "1 MiB of JSON, forged": 4.0,
}
"""The memory that each connection of an attack may take at most, in megabytes; of others, what is read of a socket at once."""
READ_MB: Final = 0.6


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in ATTACKS])
async def test_attack(attack: Attack, services: Services, redis_url: str) -> None:
    """Genuine webhooks are accepted, once the first one is, and memory stays within what each connection may take."""
    settings = ingress_settings(redis_url) | {"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": PUBLIC_URL}
    service = await services.ingress(settings).start()
    if (before := window_mb(service.pid)) is None:
        pytest.skip("this system does not tell the memory of a process")
    attacker = Attacker(attack._replace(connections=min(attack.connections, CONNECTIONS)), service.port)
    attacker.start()
    try:
        await first_accepted(service.port)
        victim = Victim(service.port, first=10_000)
        await victim.send(RATE, WEBHOOKS)
    finally:
        await attacker.stop()
    grown = (window_mb(service.pid, "VmHWM") or 0.0) - before
    assert victim.statuses == {"200": WEBHOOKS}
    assert grown < OWN_MB + CONNECTIONS * MB_OF_A_CONNECTION.get(attack.name, READ_MB)
    assert service.exit_code is None


async def first_accepted(port: int) -> None:
    """Wait until a webhook is accepted: of an address that sends many forged ones, not every one is verified."""
    victim = Victim(port)

    async def accepted() -> int:
        await victim.send(RATE, 1)
        return victim.accepted

    await until_answer(accepted, bool, "a genuine webhook is accepted")
