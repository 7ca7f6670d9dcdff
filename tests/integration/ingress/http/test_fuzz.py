"""The corpus of `make fuzz`, and some cases that it makes: whatever comes, ingress answers, and goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from bench.fuzz.__main__ import CORPUS
from bench.fuzz.cases import Case, make_case
from bench.fuzz.corpus import Corpus
from bench.fuzz.delivery import deliver
from bench.load.webhooks import PUBLIC_URL, TOKEN
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress

ON_UVLOOP = True
pytestmark = pytest.mark.timeout(method="thread")  # uvloop takes the exception of the other method for a callback's

MADE: Final = 300


@pytest.fixture
async def ingress(redis_url: str) -> AsyncIterator[LocalIngress]:
    """Yield an ingress that verifies whatever comes, and see that nothing has harmed it in the end."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    changes = {"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": PUBLIC_URL, "INGRESS_ADDRESS_RATE": "0"}
    async with running_ingress(ingress_settings(redis_url) | changes) as ingress:
        yield ingress
        assert ingress.supervisor.failure is None
        assert [line for line in ingress.logbook.lines if line["level"] in ("error", "critical")] == complaints == []


async def test_corpus(ingress: LocalIngress) -> None:
    """What once had ingress answer in a way of its own is answered, and no connection is left hanging."""
    corpus = Corpus(CORPUS).cases
    assert len(corpus) > 50
    for number, data in enumerate(corpus):
        answered = await deliver(ingress.port, Case([data], 1, 0, ""), number)
        assert answered.ended, data
        assert 500 not in answered.statuses, data


async def test_made_cases(ingress: LocalIngress) -> None:
    """The same made cases in every run: a third of the requests is validly signed, so many are accepted."""
    statuses: list[int] = []
    for number in range(MADE):
        case = make_case(1, number, [])
        answered = await deliver(ingress.port, case, number)
        assert answered.ended, case
        assert 500 not in answered.statuses, case
        statuses += answered.statuses
    accepted = sum(status in (200, 204) for status in statuses)
    assert accepted > MADE / 2
