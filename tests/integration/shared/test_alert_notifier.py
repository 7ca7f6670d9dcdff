"""Posting alerts to a server that is well, fails, hangs, or refuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from hookline_shared.alerts.formats import AlertFormat
from hookline_shared.alerts.hysteresis import Change
from hookline_shared.alerts.notifier import DeliveryPolicy, Notifier
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.clock import SystemClock
from hookline_shared.lifecycle.service import Supervisor
from tests.support.observability.alert_channel import PLANTED, AlertChannel, Answer, hang
from tests.support.observability.logbook import Logbook
from tests.support.servers.ports import free_port
from tests.support.waiting import until

KEY = "planted-routing-key"
QUICK = DeliveryPolicy(timeout_s=0.3, tries=3, first_delay_s=0.02, pause_s=0.05)


@pytest.fixture
async def channel() -> AsyncIterator[AlertChannel]:
    async with AlertChannel().opened() as channel:
        yield channel


@asynccontextmanager
async def posting(
    url: str, logbook: Logbook, patience: DeliveryPolicy = QUICK, kind: AlertFormat | None = None
) -> AsyncIterator[Notifier]:
    supervisor = Supervisor(logbook.logger)
    posts = Notifier(AlertSettings(url=url, format=kind, routing_key=KEY), "ingress", SystemClock(), logbook.logger, patience)
    await posts.start(supervisor, 9080)
    yield posts
    await posts.stop()
    await supervisor.close()
    assert supervisor.failure is None
    assert PLANTED not in str(logbook.lines)
    assert KEY not in str(logbook.lines)


def change(subject: str) -> Change:
    rule = RULES["breaker_open"]
    return Change(rule, rule.limit, subject, True, 1, 1_750_000_000_000, 1_750_000_010_000)


def subjects(channel: AlertChannel) -> list[str]:
    """Return what the alerts are about that were taken, in order."""
    return [alert["subject"] for alert in channel.alerts]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("hookline_alert_posts_total", {"outcome": outcome}) or 0


async def test_alert_arrives_and_what_gathers_goes_together(channel: AlertChannel, logbook: Logbook) -> None:
    """The first goes at once, with a text and with fields; those that come meanwhile go in one post."""
    before = counted("sent")
    async with posting(channel.url, logbook) as posts:
        posts.put(change("a"))
        await until(lambda: channel.bodies, "the first is posted")
        for subject in "bcd":
            posts.put(change(subject))
        await until(lambda: len(channel.bodies) == 2, "the others are posted")
    assert [len(body["alerts"]) for body in channel.bodies] == [1, 3]
    assert subjects(channel) == ["a", "b", "c", "d"]
    assert channel.bodies[0]["text"].startswith(f"[firing, warning] {channel.bodies[0]['service']}: breaker_open a\n")
    assert channel.bodies[0]["service"].startswith("ingress ")
    assert channel.bodies[0]["service"].endswith(":9080")
    assert counted("sent") - before == 4
    assert logbook.lines == []


@pytest.mark.parametrize("answers", [(500,), (503, 429), (hang,)], ids=["fails first", "fails twice", "hangs first"])
async def test_tried_again_at_once(answers: tuple[int | Answer, ...], channel: AlertChannel, logbook: Logbook) -> None:
    """A failure that passes, or a time-out, is not even worth a line in the log."""
    channel.will(*answers)
    async with posting(channel.url, logbook) as posts:
        posts.put(change("a"))
        await until(lambda: subjects(channel) == ["a"], "it is posted")
        assert channel.tries == len(answers) + 1
    assert logbook.lines == []


async def test_long_failure_loses_nothing(channel: AlertChannel, logbook: Logbook) -> None:
    """What found nobody for longer goes along with what came later, in order. It is logged once, and that it is over."""
    channel.will(*[500] * 5, hang, *[500] * 3)
    before = counted("failed")
    async with posting(channel.url, logbook) as posts:
        posts.put(change("a"))
        await until(lambda: channel.tries > 3, "the first tries are over")
        posts.put(change("b"))
        await until(lambda: subjects(channel) == ["a", "b"], "both are posted")
    assert [line["event"] for line in logbook.lines] == ["alerts cannot be posted", "alerts can be posted again"]
    assert counted("failed") > before


async def test_nobody_there(logbook: Logbook) -> None:
    """A server that comes later gets what waited, and nothing of the service waited for it."""
    late = AlertChannel(free_port())
    async with posting(late.url, logbook) as posts:
        for number in range(130):
            posts.put(change(str(number)))
        await until(lambda: logbook.find("alerts cannot be posted"), "that is logged")
        async with late.opened():
            await until(lambda: len(late.alerts) == 100, "they are posted")
    assert subjects(late) == [str(number) for number in range(30, 130)]
    assert late.bodies[0]["text"].endswith("older alerts that were left out: 30.")
    assert [len(body["alerts"]) for body in late.bodies] == [20] * 5, "no more than Slack takes"


async def test_refused_is_not_sent_again(channel: AlertChannel, logbook: Logbook) -> None:
    """A wrong path, or a body that the other side does not take, would be refused for ever, and hold up all that follow."""
    channel.will(404)
    async with posting(channel.url, logbook) as posts:
        posts.put(change("a"))
        await until(lambda: logbook.find("alerts cannot be posted"), "that is logged")
        posts.put(change("b"))
        await until(lambda: channel.bodies, "the next is posted")
    assert set(subjects(channel)) == {"b"}, "once, or again at the end if its answer had not come by then"
    line = logbook.find("alerts cannot be posted")
    assert line is not None
    assert line["error"] == "the response was 404"


async def test_what_is_left_is_posted_at_the_end(channel: AlertChannel, logbook: Logbook) -> None:
    """What waits for its turn when the service ends goes at once, and what was on its way is tried again."""
    channel.will(200, hang)
    async with posting(channel.url, logbook, QUICK._replace(timeout_s=30, last_s=30)) as posts:
        posts.put(change("a"))
        await until(lambda: channel.bodies, "the first is posted")
        posts.put(change("b"))
        await until(lambda: channel.tries == 2, "the second is on its way")
        posts.put(change("c"))
    assert subjects(channel) == ["a", "b", "c"]


async def test_stop_does_not_wait_for_one_that_hangs(channel: AlertChannel, logbook: Logbook) -> None:
    """A service that stops is not kept by a channel for long."""
    channel.will(hang, hang)
    async with posting(channel.url, logbook, DeliveryPolicy(last_s=0.1)) as posts:
        posts.put(change("a"))
        await until(lambda: channel.tries, "it is on its way")
        async with asyncio.timeout(5):
            await posts.stop()
