"""What `hookline status` makes of the answers of Redis and the services."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from hookline_cli.admin_address import AdminAddress, parse_admin, reachable
from hookline_cli.main import app
from hookline_cli.status.rates import TopicRate, TopicRates, measure
from hookline_cli.status.service_alert import ServiceAlert
from hookline_cli.status.service_report import ServiceReport, parse
from hookline_cli.status.snapshot import RedisState, Snapshot, TopicState, as_object, owners
from hookline_cli.status.status import StatusError
from hookline_cli.status.view import duration, view
from hookline_cli.workspace import StackFacts, Workspace
from hookline_shared.streams.lease import Lease
from hookline_shared.streams.membership import Member

_SINCE = "2025-06-15T15:06:40Z"
HERE = AdminAddress("ingress", "127.0.0.1", 9080)
FREE = Lease("", 7, 0)
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


def report(name: str, *problems: str, answers: bool = True, **changes: Any) -> ServiceReport:
    made = ServiceReport(name, 9080, answers, list(problems), [], None, None, {}, "127.0.0.1")
    return made._replace(**changes)


def situation(
    *services: ServiceReport, redis: RedisState | None = None, problem: str | None = None, rates: TopicRates | None = None
) -> Snapshot:
    return Snapshot(1_750_000_000_000, redis or RedisState(), problem, services, rates)


def owned(*owners_: str) -> RedisState:
    """Return a Redis in which each partition has its owner in `owners_`, and every owner is there."""
    leases = [Lease(owner, 7, 9000) if owner else FREE for owner in owners_]
    present = [Member(owner, 100) for owner in dict.fromkeys(owners_) if owner]
    return RedisState(["Redis 7.4.0, standalone"], (), len(leases), {}, present, leases)


def shown(found: Snapshot, width: int) -> list[str]:
    console = Console(width=width, record=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(view(found, problems=True), highlight=False)
    return capture.get().splitlines()


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
        "critical processor: breaker_open crm: crm fails. Do that.",
        "warning ingress: reply_slow: slow. Do this.",
    ]
    first, second = json.loads(json.dumps(as_object(found)))["services"]
    assert first["alerts"] == [slow._asdict()]
    assert second["alerts"][0]["subject"] == "crm"


def test_destination_that_is_left_alone_is_a_warning() -> None:
    """A breaker of a handler's is told while it is not closed. Those of Redis and the database have checks that say more."""
    breakers = {"redis a:1": "open", "database": "open", "crm": "half-open", "mail": "closed"}
    found = situation(report("processor", breakers=breakers), redis=owned("a")).warnings()
    text = "crm keeps failing, so its breaker is open: only probes call it, and the events that need it wait."
    assert found == [("processor", text)]


def test_table_of_services_names_what_fails() -> None:
    """Of a service that is not ready the table has the names of the checks alone; what they say stands below it."""
    said = "Redis did not answer in time. Is it overloaded, stopped, or behind a firewall?"
    lines = shown(situation(report("processor", f"redis: {said}", f"reading: {said}"), redis=owned("a")), 120)
    assert any("not ready: redis, reading" in line for line in lines)
    assert sum(said in line for line in lines) == 2
    silent = report("ingress", "nothing answers on port 9080", answers=False)
    assert any("  no answer" in line for line in shown(situation(report("processor"), silent), 120))


@pytest.mark.parametrize(
    ("dead", "owner", "told"), [(0, "a", "all is well"), (2, "a", "works, with 1 warning"), (2, "", "1 problem")]
)
def test_headline_says_the_worst(dead: int, owner: str, told: str) -> None:
    """All is well only if there is neither a problem nor a warning: dead letters are one."""
    redis = owned(owner)._replace(topics={"calls": TopicState(0, None, 0, 0, dead)})
    assert shown(situation(report("ingress"), redis=redis), 120)[0].startswith(f"Hookline  {told}  ")


def test_object_for_programs() -> None:
    """--json has the topics, the services and the problems, and who owns what; it can be written as JSON."""
    redis = owned("a", "")._replace(topics={"messages": TopicState(2, 1000, 1, 1, 3, 7)})
    found = json.loads(
        json.dumps(as_object(situation(report("ingress"), redis=redis, rates=TopicRates(1, TopicRate(None, 2.5), {}))))
    )
    assert found["topics"]["messages"] == {
        "events": 2,
        "oldest_ms": 1000,
        "pending": 1,
        "waiting": 1,
        "dead": 3,
        "scheduled": 7,
        "accepted_per_s": None,
        "settled_per_s": 2.5,
    }
    assert len(found["problems"]) == 1
    assert found["partitions"] == [
        {"partition": 0, "owner": "a", "lease_left_ms": 9000},
        {"partition": 1, "owner": None, "lease_left_ms": 0},
    ]
    (service,) = found["services"]
    old = {"ready", "name", "port", "answers", "problems", "warnings", "spool_events", "spool_bytes", "breakers"}
    assert old <= service.keys()


@pytest.mark.parametrize("width", [80, 120])
def test_view_fits_the_terminal(width: int) -> None:
    """No line is wider than the terminal, and no number is cut."""
    topics = {name: TopicState(1_000_000, 1_749_000_000_000, 4000, 123, 45) for name in ("messages", "conversations", "bulk")}
    redis = owned("web-1:4711:0a1b2c3d", "web-2:4711:0a1b2c3d", "")._replace(topics=topics)
    rates = TopicRates(1.0, TopicRate(12_345.6, 12_345.6), {})
    lines = shown(situation(report("ingress-1", spool_events=3, spool_bytes=4_200_000), redis=redis, rates=rates), width)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    for expected in (
        "conversations ",
        " 1,000,000 ",
        "12,345.6",
        "web-1:4711:0a1b2c3d",
        "no owner",
        "3 events, 4 MB",
        "problem No owner for",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (86400, "1 d"), (1e7, "116 d")]
)
def test_durations(seconds: float, text: str) -> None:
    """A duration is written in the largest unit that fits."""
    assert duration(seconds) == text


@pytest.mark.parametrize("written", [b"", b"[]", b'{"admin_ports": 3}', b"\xff"])
def test_damaged_facts_are_none(written: bytes, tmp_path: Path) -> None:
    """A file that cannot be read is as good as none."""
    (tmp_path / "up.json").write_bytes(written)
    assert Workspace(tmp_path).announced() == StackFacts()


def test_facts_are_kept_until_withdrawn(tmp_path: Path) -> None:
    """What `hookline up` wrote is read by others, until it stops."""
    facts = StackFacts(public_url="http://127.0.0.1:8080", admin_ports={"ingress": 9080})
    workspace = Workspace(tmp_path)
    workspace.announce(facts)
    assert workspace.announced() == facts
    workspace.withdraw()
    assert workspace.announced() == StackFacts()


def test_redis_url_that_was_not_saved_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A REDIS_URL with a password is not kept in a file, and another Redis is not looked at in its place."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    Workspace(tmp_path).announce(StackFacts(admin_ports={"ingress": 9080}))
    error = CliRunner().invoke(app, ["status", "--data", str(tmp_path)]).exception
    with pytest.raises(StatusError, match="Set REDIS_URL here, too"):
        raise error or AssertionError("it did not fail")


@pytest.mark.parametrize("words", [["--admin", "web-1"], ["--interval", "0"]])
def test_mistakes_of_the_command_line(words: list[str]) -> None:
    """They end with exit code 2."""
    assert CliRunner().invoke(app, ["status", *words]).exit_code == 2
