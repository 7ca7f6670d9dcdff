"""How `hookline status` shows what it found, and what it reads from the folder of `hookline up`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hookline_cli.main import app
from hookline_cli.status.json_output import as_object
from hookline_cli.status.rates import TopicRate, TopicRates
from hookline_cli.status.snapshot import TopicState
from hookline_cli.status.status import StatusError
from hookline_cli.status.tables import duration
from hookline_cli.workspace import StackFacts, Workspace
from tests.support.processes.status_snapshots import owned, report, shown, situation


def test_destination_that_is_left_alone_is_a_warning() -> None:
    """A breaker of a handler's is told while it is not closed. Those of Redis and the database have checks that say more."""
    breakers = {"redis a:1": "open", "database": "open", "crm": "half-open", "mail": "closed"}
    found = situation(report("processor", breakers=breakers), redis=owned("a")).warnings()
    text = "crm keeps failing, so its breaker is open: only probes call it, and the events that need it wait."
    assert found == [("processor", text)]


def test_table_of_services_names_what_fails() -> None:
    """Of a service that is not ready the table has the names of the checks alone; what they say stands above it."""
    said = "Redis did not answer in time. Is it overloaded, stopped, or behind a firewall?"
    lines = shown(situation(report("processor", f"redis: {said}", f"reading: {said}"), redis=owned("a")), 120)
    assert any("not ready: redis, reading" in line for line in lines)
    assert sum("Redis did not answer in time." in line for line in lines) == 2
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
