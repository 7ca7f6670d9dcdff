"""What `hookline status` says first, and that it fits a terminal."""

import json

import pytest

from hookline_cli.status.issues import _ALERTS, issues
from hookline_cli.status.json_output import as_object
from hookline_cli.status.rates import TopicRate, TopicRates
from hookline_cli.status.service_alert import ServiceAlert
from hookline_cli.status.snapshot import Snapshot, TopicState
from hookline_shared.alerts.rules import RULES
from hookline_shared.streams.waiting.pauses import Pause
from tests.support.processes.status_snapshots import owned, report, shown, situation

_SINCE = "2025-06-15T15:06:40Z"
_REFUSED = "Webhooks are refused with a 503: 7 since 12:00, the latest 1 s ago: The disk is full. Make room on it."
_TOPICS = ("messages", "calls", "conversations", "statuses", "events", "bulk")


def alert(name: str, level: str = "warning", subject: str = "") -> ServiceAlert:
    """Return a firing alert with a long text, as the services write it."""
    text = "The value is above its threshold. Impact: Events wait. Fix: Read the log. Runbook: docs/runbook.md"
    return ServiceAlert(name, level, subject, _SINCE, text)


def incident() -> Snapshot:
    """Return a situation in which much is wrong at once, in a Redis with several processors."""
    topics = dict.fromkeys(_TOPICS, TopicState(0, None, 0, 0, 0)) | {
        "messages": TopicState(1_000_000, 1_749_000_000_000, 4000, 123, 45),
        "bulk": TopicState(9, 1_749_000_000_000, 4, 1, 0),
    }
    redis = owned("web-1:4711:0a1b2c3d", "web-2:4711:0a1b2c3d", "", "web-3:4711:0a1b2c3d")._replace(
        topics=topics, pauses=[Pause(id="0123abcd", topic="calls", who="ann@web-1", why="the CRM is being migrated")]
    )
    firing = [alert("reply_slow"), alert("data_gone", "critical"), alert("disk_low", "critical", "spool")]
    services = [
        report("ingress-1", warnings=[f"webhooks: {_REFUSED}"], spool_events=3, spool_bytes=4_200_000, alerts=firing),
        report("ingress-2", alerts=[alert("reply_slow")]),
        report("processor", "redis: Redis did not answer in time. Is it overloaded?", breakers={"crm": "open"}),
    ]
    return situation(*services, redis=redis, rates=TopicRates(1.0, TopicRate(12_345.6, 12_345.6), {}))


def test_what_loses_data_comes_first() -> None:
    """Refused webhooks and lost data, then what is at risk, then what waits, then what is late, then what somebody decided."""
    found = [issue.found for issue in issues(incident())]
    assert found == [
        "ingress-1: Webhooks are refused with a 503: 7 since 12:00, the latest 1 s ago: The disk is full.",
        "ingress-1: data_gone: The value is above its threshold.",
        "ingress-1: disk_low spool: The value is above its threshold.",
        "processor is not ready: redis: Redis did not answer in time.",
        "No owner for partition 2, so their events wait.",
        "ingress-1, ingress-2: reply_slow: The value is above its threshold.",
        "processor: crm keeps failing, so its breaker is open: only probes call it, and the events that need it wait.",
        "dead letters: 45 events could not be handled: see hookline dead list.",
        "pauses: 1 pause holds events: see hookline pause list.",
    ]


def test_every_alert_in_the_table_exists() -> None:
    """The order of alerts does not name alerts that are gone."""
    assert set(_ALERTS) <= set(RULES)


def test_alert_that_repeats_a_problem_is_left_out() -> None:
    """Partitions without an owner are one line, which names them."""
    found = situation(report("ingress", alerts=[alert("partitions_unowned", "critical")]), redis=owned("a", ""))
    assert [issue.level for issue in issues(found)] == ["problem"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (50, 20), (120, 40), (50, 12)])
def test_everything_fits_the_screen(width: int, height: int) -> None:
    """The first line and the worst issue are always there, no line is cut by the terminal, and the prompt has room."""
    lines = shown(incident(), width, height)
    assert len(lines) <= height - 2
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("Hookline  webhooks are refused, 3 problems")
    assert any(line.startswith("problem ingress-1: Webhooks are refused") for line in lines[1:3])
    text = "\n".join(lines)
    for expected in ("hookline status --verbose", *(("1,000,000", "no owner") if height >= 20 else ())):
        assert expected in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (50, 20)])
def test_quiet_installation_shows_all_topics(width: int, height: int) -> None:
    """If nothing is wrong, every topic has its row on a small screen, too."""
    redis = owned("web-1:4711:0a1b2c3d")._replace(topics=dict.fromkeys(_TOPICS, TopicState(0, None, 0, 0, 0)))
    lines = shown(situation(report("ingress"), report("processor"), redis=redis), width, height)
    assert "all is well" in lines[0]
    assert all(any(line.startswith(f"{topic} ") for line in lines) for topic in _TOPICS)
    assert len(lines) <= height - 2


def test_remedies_come_with_verbose() -> None:
    """One line each says that something is wrong; --verbose adds what it means and what to do, and shortens nothing."""
    assert "Make room on it." not in "\n".join(shown(incident(), 80, 24))
    text = " ".join(" ".join(shown(incident(), 80, 24, verbose=True)).split())
    for expected in ("Make room on it.", "Impact: Events wait. Fix: Read the log.", "the CRM is being migrated", "statuses"):
        assert expected in text


def test_programs_get_the_issues_in_their_order() -> None:
    """--json has them with their harm."""
    first = json.loads(json.dumps(as_object(incident())))["issues"][0]
    assert (first["level"], first["harm"], first["more"]) == ("problem", "lost", "Make room on it.")
