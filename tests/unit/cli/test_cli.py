"""The command line: what a person can do wrong, and what the pages say that are made from the code."""

from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from hookline_cli.docs_generator.metric_advice import ADVICE
from hookline_cli.docs_generator.pages import PAGES, PARTS, TABLES, metric_rows
from hookline_cli.main import app
from hookline_shared.errors import HooklineError
from tests.support.servers.ports import free_port

_ROOT = Path(__file__).parents[3]


_FIXED = {
    "ingress_requests_total": "route code outcome",
    "ingress_request_seconds": "",
    "ingress_stage_seconds": "stage",
    "ingress_batch_events": "",
    "spool_events": "",
    "spool_bytes": "",
    "breaker_state": "name",
    "redis_operation_seconds": "operation",
    "redis_pool_connections": "pool state",
    "events_total": "topic kind outcome",
    "handler_seconds": "kind",
    "wait_seconds": "topic",
    "backlog_events": "topic",
    "oldest_event_seconds": "topic",
    "pending_events": "topic",
    "retrying_events": "topic",
    "dead_events": "topic",
    "partitions_owned": "",
    "fenced_total": "",
    "loop_lag_seconds": "",
}


def run(*words: str) -> BaseException | None:
    return CliRunner().invoke(app, words).exception


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_what_the_code_says(page: str) -> None:
    """The tables of settings, metrics and alerts are those of the code; `make pages` writes them again."""
    assert (_ROOT / page).read_text().endswith("\n" + PAGES[page][1]())


@pytest.mark.parametrize("page", TABLES)
def test_documented_kinds_are_those_of_the_catalogue(page: str) -> None:
    """docs/webhooks.md and docs/handlers.md have the tables that `make pages` writes."""
    assert f"\n{TABLES[page][1]()}\n" in (_ROOT / page).read_text()


def test_every_metric_has_advice() -> None:
    """Whoever sees a metric move finds what to do, and nothing is advised about metrics that are gone."""
    rows = [row.name for part in PARTS.values() for row in metric_rows(part)]
    assert sorted(rows) == sorted(ADVICE)
    shown = {family.name + "_total" * (family.type == "counter") for family in REGISTRY.collect()}
    assert {name for name in shown if name.startswith("hookline_")} <= {*rows}


def test_metrics_that_others_build_on() -> None:
    """Dashboards and rules go by these names and labels."""
    labels = {row.name: row.labels for part in PARTS.values() for row in metric_rows(part)}
    for name, expected in _FIXED.items():
        assert labels[f"hookline_{name}"] == tuple(expected.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--url", "https://hooks.example.com/twilio"], "is not on this machine.*--yes-really"),
        (["--param", "Digits"], "not of the form NAME=VALUE"),
        (["--url", "http://127.0.0.1:{port}/twilio"], "Nothing answers at .*hookline up"),
        (["--token", "", "--url", "http://127.0.0.1:1/twilio"], "No auth token"),
        (["--url", "127.0.0.1:8080/twilio"], "is not an http or https URL"),
        (["--url", "http://127.0.0.1:0/twilio"], "is not an http or https URL"),
        (["--json-body", "["], "not JSON"),
        (["--json-body", "[]", "--param", "A=b"], "--json-body and --param exclude each other"),
    ],
    ids=["not loopback", "bad param", "nobody there", "no token", "no scheme", "port 0", "no JSON", "two bodies"],
)
def test_send_says_what_to_do(words: list[str], message: str, tmp_path: Path) -> None:
    """Every mistake in `hookline send` ends in one line that says what to do."""
    words = [word.format(port=free_port()) for word in words]
    token = [] if "--token" in words else ["--token", "12345"]
    error = run("send", "message", "--data", str(tmp_path), *token, *words)
    with pytest.raises(HooklineError, match=message):
        raise error or AssertionError("it did not fail")


def test_new_writes_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are found in the package that has the command."""
    monkeypatch.chdir(tmp_path)
    assert run("new", "demo") is None
    assert {"bot.py", "test_bot.py", ".env.example", "hookline.toml"} <= {file.name for file in (tmp_path / "demo").iterdir()}
