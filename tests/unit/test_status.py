"""What `hookline status` makes of the answers of Redis and the services."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.service_report import ServiceReport, parse
from cli.status import Status, StatusError, as_object
from cli.workspace import Facts, Workspace
from shared.broker.inspect import Backlog

_HEALTH = """[-]redis failed: Redis cannot be reached: refused. Is it running, and is REDIS_URL right?
[+]shutdown ok
[!]spool warning: 3 events wait in the spool: being drained
readyz check failed
"""
_METRICS = """# TYPE hookline_spool_events gauge
hookline_spool_events 3.0
# TYPE hookline_spool_bytes gauge
hookline_spool_bytes 1.2e+06
# TYPE hookline_spool_drained counter
hookline_spool_drained_total{outcome="new"} 7.0
# TYPE hookline_breaker_state gauge
hookline_breaker_state{name="redis a:1"} 2.0
hookline_breaker_state{name="redis b:1"} 1.0
"""


def report(name: str, *problems: str, answers: bool = True) -> ServiceReport:
    return ServiceReport(name, 9080, answers, list(problems), [], None, None, {})


def test_answers_of_a_service_are_read() -> None:
    """Problems, warnings, the spool and every breaker are told apart."""
    assert parse("ingress", 9080, _HEALTH, _METRICS) == ServiceReport(
        "ingress",
        9080,
        answers=True,
        problems=["redis: Redis cannot be reached: refused. Is it running, and is REDIS_URL right?"],
        warnings=["spool: 3 events wait in the spool: being drained"],
        spool_events=3,
        spool_bytes=1_200_000,
        breakers={"redis a:1": "open", "redis b:1": "half-open"},
    )


def test_service_without_spool() -> None:
    """The processor has none, which is not the same as an empty one."""
    found = parse("processor", 9081, "[+]redis ok\nreadyz check passed\n", "")
    assert (found.problems, found.spool_events, found.spool_bytes) == ([], None, None)


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
        parse("ingress", 9080, health, metrics)


def test_nothing_running_is_one_problem() -> None:
    """If no service answers, Redis being away is no second problem: `hookline up` brings both."""
    silent = [report(name, "nothing answers", answers=False) for name in ("ingress", "processor")]
    (problem,) = Status({}, "Redis cannot be reached", silent).problems()
    assert "hookline up" in problem


def test_every_problem_is_named() -> None:
    """Redis, a service that is not ready and one that is gone are all told."""
    services = [report("ingress", "redis: away"), report("processor", "nothing answers on port 9081", answers=False)]
    redis, ingress, processor = Status({}, "Redis is away", services).problems()
    assert redis == "Redis is away"
    assert ingress == "ingress is not ready: redis: away"
    assert processor.startswith("processor: nothing answers on port 9081.")
    assert str(StatusError([redis])) == redis
    assert str(StatusError([redis, ingress])) == f"2 problems:\n  - {redis}\n  - {ingress}"


def test_object_for_programs() -> None:
    """--json has the topics, the services and the problems."""
    found = as_object(Status({"messages": Backlog(2, 1000)}, None, [report("ingress")]))
    assert found["topics"] == {"messages": {"events": 2, "oldest_ms": 1000}}
    assert found["problems"] == []
    assert found["services"] == [{"ready": True, **report("ingress")._asdict()}]


@pytest.mark.parametrize("written", [b"", b"[]", b'{"admin_ports": 3}', b"\xff"])
def test_damaged_facts_are_none(written: bytes, tmp_path: Path) -> None:
    """A file that cannot be read is as good as none."""
    (tmp_path / "up.json").write_bytes(written)
    assert Workspace(tmp_path).announced() == Facts()


def test_facts_are_kept_until_withdrawn(tmp_path: Path) -> None:
    """What `hookline up` wrote is read by others, until it stops."""
    facts = Facts(public_url="http://127.0.0.1:8080", admin_ports={"ingress": 9080})
    workspace = Workspace(tmp_path)
    workspace.announce(facts)
    assert workspace.announced() == facts
    workspace.withdraw()
    assert workspace.announced() == Facts()


def test_redis_that_was_not_written_down_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A REDIS_URL with a password is not kept in a file, and another Redis is not looked at in its place."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    Workspace(tmp_path).announce(Facts(admin_ports={"ingress": 9080}))
    error = CliRunner().invoke(app, ["status", "--data", str(tmp_path)]).exception
    with pytest.raises(StatusError, match="Set it here, too"):
        raise error or AssertionError("it did not fail")
