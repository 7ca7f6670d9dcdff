"""Which processor reports what all see alike: one does always, as long as there is one that owns something."""

from collections.abc import Mapping
from typing import Any, Final, cast

import pytest

from hookline_processor.ownership.ownership import Ownership, Times
from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.ownership.lease import Lease, LeaseRequest, Leases
from tests.integration.conftest import Connect
from tests.integration.processor.test_clock_steps import _Partition
from tests.support.observability.logbook import Logbook
from tests.support.storage.stored import PARTITIONS

LEASE_S: Final = 30.0


class PartlyDead(Leases):
    """Leases of a cluster in which the master of the partitions `dead` does not answer."""

    dead: frozenset[int] = frozenset()

    async def ask(self, requests: Mapping[int, tuple[LeaseRequest, int]]) -> dict[int, Lease | BrokerUnavailableError]:
        answers = await super().ask({number: one for number, one in requests.items() if number not in self.dead})
        return answers | {number: BrokerUnavailableError("dead") for number in requests if number in self.dead}


@pytest.mark.parametrize("dead", [frozenset[int](), frozenset({0}), frozenset({0, 1, 2})])
async def test_one_processor_leads(redis_url: str, connect: Connect, logbook: Logbook, dead: frozenset[int]) -> None:
    """Exactly one processor leads, also while partition 0 has no owner; and another one once that one is gone."""
    supervisor = Supervisor(logbook.logger)
    members = []
    for name in "ab":
        leases = PartlyDead(connect(redis_url), name, LEASE_S, 5)
        leases.dead = dead
        build = cast(Any, _Partition)
        members.append(Ownership(leases, PARTITIONS, build, Times(LEASE_S, 1, 1), SystemClock(), logbook.logger))
    first, second = members
    for member in (first, second, first, second, first, second):
        member._supervisor = supervisor
        await member.pass_once()
    assert [member.leads for member in members].count(True) == 1
    await first.stop()
    for _ in range(3):
        await second.pass_once()
    assert second.leads
    await supervisor.close()
