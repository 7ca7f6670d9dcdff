"""What `hookline status` makes of the answers of Redis and the services."""

import json

import pytest
import typer

from hookline_cli.admin_address import AdminAddress, parse_admin, reachable
from hookline_cli.status.json_output import as_object
from hookline_cli.status.rates import TopicRate, measure
from hookline_cli.status.service_alert import ServiceAlert
from hookline_cli.status.service_report import ServiceReport, parse
from hookline_cli.status.snapshot import RedisState, TopicState, owners
from hookline_cli.status.status import StatusError
from hookline_shared.streams.ownership.lease import Lease
from hookline_shared.streams.ownership.membership import Member
from tests.support.processes.status_snapshots import FREE, owned, report, shown, situation

_SINCE = "2025-06-15T15:06:40Z"

HERE = AdminAddress("ingress", "127.0.0.1", 9080)

HEALTH = """[-]redis failed: Redis cannot be reached: refused. Is it running, and is REDIS_URL right?
[+]shutdown ok
[!]spool warning: 3 events wait in the spool: being drained
[!]alert warning: breaker_open redis a:1 (critical) since 2025-06-15T15:06:40Z: redis a:1 has been failing. Mend it.
[!]alert warning: reply_slow (warning) since 2025-06-15T15:06:40Z: slow (alert at 250 ms). See docs/runbook.md#reply-slow
readyz check failed
"""

METRICS = """# TYPE hookline_ingress_connections gauge
hookline_ingress_connections 2.0
# TYPE hookline_spool_events gauge
hookline_spool_events 3.0
# TYPE hookline_spool_bytes gauge
hookline_spool_bytes 1.2e+06
# TYPE hookline_spool_drained counter
hookline_spool_drained_total{outcome="new"} 7.0
# TYPE hookline_breaker_state gauge
hookline_breaker_state{name="redis a:1"} 2.0
hookline_breaker_state{name="redis b:1"} 1.0
# TYPE hookline_events counter
hookline_events_total{topic="messages",kind="message.received",outcome="accepted"} 5.0
hookline_events_total{topic="messages",kind="message.received",outcome="spooled"} 2.0
hookline_events_total{topic="messages",kind="message.received",outcome="duplicate"} 9.0
hookline_events_total{topic="calls",kind="call.received",outcome="done"} 4.0
hookline_events_total{topic="calls",kind="call.received",outcome="dead"} 1.0
hookline_events_total{topic="calls",kind="call.received",outcome="retry"} 8.0
"""


def test_answers_of_a_service_are_read() -> None:
    """Problems, warnings, alerts, the spool, every breaker and what was counted are distinguished."""
    assert parse(HERE, HEALTH, METRICS) == ServiceReport(
        "ingress",
        9080,
        answers=True,
        problems=["redis: Redis cannot be reached: refused. Is it running, and is REDIS_URL right?"],
        warnings=["spool: 3 events wait in the spool: being drained"],
        spool_events=3,
        spool_bytes=1_200_000,
        breakers={"redis a:1": "open", "redis b:1": "half-open"},
        host="127.0.0.1",
        role="ingress",
        accepted={"messages": 7},
        settled={"calls": 5},
        alerts=(
            ServiceAlert("breaker_open", "critical", "redis a:1", _SINCE, "redis a:1 has been failing. Mend it."),
            ServiceAlert("reply_slow", "warning", "", _SINCE, "slow (alert at 250 ms). See docs/runbook.md#reply-slow"),
        ),
    )


def test_service_without_spool() -> None:
    """The processor has none, which is not the same as an empty one."""
    found = parse(HERE._replace(name=""), "[+]redis ok\nreadyz check passed\n", "hookline_partitions_owned 4.0\n")
    assert (found.problems, found.spool_events, found.spool_bytes) == ([], None, None)
    assert (found.name, found.role, found.partitions_owned) == ("processor 127.0.0.1:9080", "processor", 4)


def test_refused_webhooks_are_a_problem() -> None:
    """An ingress that refuses webhooks may be ready; the first line and the problems say it all the same, and once."""
    refusal = "Webhooks are refused with a 503: 7 since 12:00, the latest 1 s ago: The disk is full."
    found = situation(report("ingress", warnings=[f"webhooks: {refusal}", "spool: it waits"]), redis=owned("a"))
    assert found.problems() == [f"ingress: {refusal}"]
    assert found.warnings() == [("ingress", "spool: it waits")]
    assert "webhooks are refused, 1 problem" in shown(found, 200)[0]


@pytest.mark.parametrize(
    ("health", "metrics"),
    [
        ("<html>404</html>", ""),
        ("readyz check passed\n", "<html>404</html>"),
        ("readyz check passed\n", 'hookline_breaker_state{name="redis"} 9.0\n'),
        ("readyz check passed\n", "hookline_spool_events NaN\n"),
    ],
)
def test_another_program_is_recognised(health: str, metrics: str) -> None:
    """Whatever else listens on the port is not taken for a service."""
    with pytest.raises(ValueError):  # noqa: PT011 - whichever it is
        parse(HERE, health, metrics)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9080", ("127.0.0.1", 9080)),
        ("web-1:9080", ("web-1", 9080)),
        ("[::1]:9080", ("::1", 9080)),
        ("10.0.0.5:65535", ("10.0.0.5", 65535)),
    ],
)
def test_admin_ports_are_read(text: str, address: tuple[str, int]) -> None:
    """--admin takes a host and a port, or a port of this machine."""
    assert parse_admin(text)[1:] == address


@pytest.mark.parametrize(
    "text", ["", "web-1", "web-1:", "web-1:0", "web-1:65536", "http://web-1:9080", "web-1:x", ":9080", "a:1/b"]
)
def test_admin_ports_that_are_none(text: str) -> None:
    """Anything else is the command line's mistake."""
    with pytest.raises(typer.BadParameter, match="HOST:PORT"):
        parse_admin(text)


@pytest.mark.parametrize(
    ("host", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("", "127.0.0.1"), ("10.0.0.5", "10.0.0.5"), ("web-1", "web-1")],
)
def test_service_that_listens_everywhere_is_asked_here(host: str, asked: str) -> None:
    """The address to listen on is where it is asked, too, unless it means all of them."""
    assert reachable(host) == asked


def test_rates_are_what_was_counted_between_two_looks() -> None:
    """Counts of all services that answered twice are added; one that was started anew has counted from 0."""
    before = [
        report("ingress-1", role="ingress", accepted={"messages": 10}),
        report("ingress-2", role="ingress", port=9090, accepted={"messages": 90, "calls": 4}),
        report("processor", role="processor", port=9081, settled={"messages": 7}),
    ]
    after = [
        report("ingress-1", role="ingress", accepted={"messages": 14}),
        report("ingress-2", role="ingress", port=9090, accepted={"messages": 2, "calls": 4}),
        report("processor", role="processor", port=9081, settled={"messages": 8}),
        report("ingress-3", role="ingress", port=9099, accepted={"messages": 1000}),
    ]
    rates = measure(before, after, 2.0)
    assert (rates.of("messages"), rates.of("calls"), rates.of("bulk")) == (TopicRate(3, 0.5), TopicRate(0, 0), TopicRate(0, 0))


def test_rates_that_nobody_counts_are_not_known() -> None:
    """Without an ingress that answers, nothing is said of what comes in, not even that it is nothing."""
    services = [report("processor", role="processor"), report("ingress", "gone", answers=False, port=1)]
    assert measure(services, services, 1.0).of("messages") == TopicRate(None, 0)


def test_nothing_running_is_one_problem() -> None:
    """If no service answers, Redis being away is no second problem, unless somebody named it: `hookline up` brings both."""
    silent = [report(name, "nothing answers", answers=False) for name in ("ingress", "processor")]
    named = situation(*silent, problem="Redis cannot be reached")._replace(redis_named=True)
    assert named.problems()[1:] == ["Redis cannot be reached"]
    (problem,) = situation(*silent, problem="Redis cannot be reached").problems()
    assert "hookline up" in problem


def test_services_elsewhere_are_asked_for() -> None:
    """If none answers here and Redis knows of processors, what is missing is where their admin ports are."""
    (problem,) = situation(report("ingress", "nothing answers", answers=False), redis=owned("web-1:1:a")).problems()
    assert "Redis knows 1 live processor" in problem
    assert "--admin HOST:PORT" in problem


def test_every_problem_is_named() -> None:
    """Redis, a service that is not ready and one that is gone are all reported."""
    services = [report("ingress", "redis: away"), report("processor", "nothing answers on port 9081", answers=False)]
    redis, ingress, processor = situation(*services, problem="Redis is away").problems()
    assert redis == "Redis is away"
    assert ingress == "ingress is not ready: redis: away"
    assert processor.startswith("processor: nothing answers on port 9081.")
    assert str(StatusError([redis])) == redis
    assert str(StatusError([redis, ingress])) == f"2 problems:\n  - {redis}\n  - {ingress}"


def test_partitions_without_an_owner_are_a_problem() -> None:
    """They are named, with what to do: start a processor, or see why none takes them."""
    assert situation(report("ingress"), redis=owned("a", "a", "b")).problems() == []
    (problem,) = situation(report("ingress"), redis=owned("a", "", "", "", "b", "")).problems()
    assert problem.startswith("No owner for partitions 1-3, 5, so their events wait. A processor should take them")
    (problem,) = situation(report("ingress"), redis=owned("")).problems()
    assert problem.startswith("No processor is running: no owner for partition 0")


def test_owner_that_is_silent_is_told_from_one_that_is_there() -> None:
    """A processor that died is seen while its leases run, and one that owns nothing is, too."""
    leases = [Lease("dead", 1, 4000), Lease("alive", 2, 9000), Lease("alive", 2, 8000), FREE]
    redis = RedisState(partitions=4, processors=[Member("alive", 10), Member("new", 20)], leases=leases)
    found = [tuple(owner) for owner in owners(redis)]
    assert found == [("alive", [1, 2], 8000, 10), ("dead", [0], 4000, None), ("new", [], 0, 20)]


def test_warnings_are_said_once() -> None:
    """What several services and Redis itself warn of alike is one line; dead letters are another."""
    risk = "appendonly is off"
    services = [report(name, warnings=[f"redis: {risk}"]) for name in ("ingress", "processor")]
    redis = RedisState(warnings=[risk, "other"], topics={"calls": TopicState(0, None, 0, 0, 2)})
    assert situation(*services, redis=redis).warnings() == [
        ("ingress, processor", f"redis: {risk}"),
        ("redis", "other"),
        ("dead letters", "2 events could not be handled: see hookline dead list."),
    ]


def test_alerts_are_shown_critical_ones_first() -> None:
    """They are no problem and change no exit code, but all is not well; programs find them with their service."""
    slow = ServiceAlert("reply_slow", "warning", "", _SINCE, "slow. Do this.")
    broken = ServiceAlert("breaker_open", "critical", "crm", _SINCE, "crm fails. Do that.")
    found = situation(report("ingress", alerts=(slow,)), report("processor", alerts=(broken,)))
    assert found.problems() == []
    lines = shown(found, 120)
    assert "2 alerts" in lines[0]
    assert [line for line in lines if line.endswith(".")] == [
        "critical processor: breaker_open crm: crm fails.",
        "warning ingress: reply_slow: slow.",
    ]
    first, second = json.loads(json.dumps(as_object(found)))["services"]
    assert first["alerts"] == [slow._asdict()]
    assert second["alerts"][0]["subject"] == "crm"
