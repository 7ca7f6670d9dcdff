"""When an alert fires and is resolved, and what it says."""

import json
from collections.abc import Iterable
from math import inf
from pathlib import Path

import pytest

from hookline_shared.alerts.formats import AlertFormat, body_of
from hookline_shared.alerts.hysteresis import Alert, Alerts, Change
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.thresholds import Level, Threshold
from hookline_shared.alerts.units import Unit, format_value
from hookline_shared.alerts.wording import as_fields, explanation, one_line, summary

START_MS = 1_750_000_000_000
RUNBOOK = "https://wiki.example.com/hookline/runbook"


def limit(threshold: float, clear: float, for_s: float = 0, window_s: float | None = None) -> Threshold:
    return Threshold(threshold=threshold, clear=clear, for_s=for_s, window_s=window_s, level=Level.WARNING)


def states(alert: Alert, samples: Iterable[tuple[float, float]]) -> str:
    """Observe `samples`, each a time and a value; return a character for each, ^ where it fires and v where it is resolved."""
    found = ""
    for at, value in samples:
        changed = alert.observe(value, at) is not None
        found += ("^" if alert.raised else "v") if changed else "."
    return found


def every_second(*values: float) -> Iterable[tuple[float, float]]:
    return enumerate(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((9, 10, 11, 9, 6, 5, 4), ".^...v."),
        ((10, 5, 10, 5), "^v^v"),
        ((9, 9, 6, 9), "...."),
        ((10, 9, 6, 9, 10), "^...."),
    ],
    ids=["crosses both", "swings past both", "never there", "wavers between"],
)
def test_two_thresholds(values: tuple[float, ...], expected: str) -> None:
    """It fires at one threshold and is resolved at the other, and nothing in between changes anything."""
    assert states(Alert(limit(10, 5), falls=False), every_second(*values)) == expected


@pytest.mark.parametrize(
    ("values", "expected"), [((101, 100, 99, 150, 199, 200, 300), ".^...v."), ((inf, 50, inf), ".^v"), ((0, 0), "^.")]
)
def test_low_values_are_the_bad_ones(values: tuple[float, ...], expected: str) -> None:
    """Where less is worse, such as room on a disk, it is the other way round."""
    assert states(Alert(limit(100, 200), falls=True), every_second(*values)) == expected


def test_equal_thresholds_do_not_flap() -> None:
    """A value that is wrong is not well at the same time."""
    assert states(Alert(limit(10, 10), falls=False), every_second(10, 10, 10, 9, 9)) == "^..v."


def test_hold_time() -> None:
    """It must be so for the whole hold time, both to fire and to be resolved; a moment in between begins it anew."""
    alert = Alert(limit(10, 5, for_s=3), falls=False)
    assert states(alert, every_second(10, 10, 10, 9, 10, 10, 10, 10)) == ".......^"
    assert states(alert, ((8 + at, value) for at, value in every_second(5, 5, 6, 5, 5, 5, 5))) == "......v"


def test_since_when() -> None:
    """What is told is when it began to be wrong, not when that had lasted for long enough."""
    alert = Alert(limit(10, 5, for_s=3), falls=False)
    assert [alert.observe(10, at) for at in (20, 21, 23)] == [None, None, 20]


def test_each_subject_is_an_alert_of_its_own() -> None:
    """One topic that fires says nothing of the others; one that is gone is resolved."""
    alerts = Alerts({"backlog_high": limit(0.5, 0.4)})

    def changes(at: int, **values: float) -> list[tuple[str, bool]]:
        return [(change.subject, change.raised) for change in alerts.observe("backlog_high", values, at, START_MS + 1000 * at)]

    assert changes(0, calls=0.1, bulk=0.6) == [("bulk", True)]
    assert changes(1, calls=0.7, bulk=0.9) == [("calls", True)]
    assert [(change.subject, change.value, change.since_ms) for change in alerts.raised()] == [
        ("bulk", 0.9, START_MS),
        ("calls", 0.7, START_MS + 1000),
    ]
    assert changes(2, bulk=0.45) == [("calls", False)]
    assert changes(3, bulk=0.4) == [("bulk", False)]
    assert alerts.raised() == []
    assert list(alerts.subjects()) == [("backlog_high", "bulk")]


def test_resolved_knows_when_it_fired() -> None:
    """So that people learn how long it lasted."""
    alerts = Alerts({"spool_waiting": limit(60, 0)})
    (raised,) = alerts.observe("spool_waiting", {"": 61}, 1.0, START_MS)
    (cleared,) = alerts.observe("spool_waiting", {"": 0}, 31.0, START_MS + 30_000)
    assert (raised.raised, cleared.raised, cleared.since_ms, cleared.at_ms) == (True, False, START_MS, START_MS + 30_000)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0042, Unit.SECONDS, "4 ms"),
        (1.5, Unit.SECONDS, "1.5 s"),
        (90, Unit.SECONDS, "90 s"),
        (300, Unit.SECONDS, "5 min"),
        (7200, Unit.SECONDS, "2 h"),
        (864_000, Unit.SECONDS, "10 d"),
        (inf, Unit.SECONDS, "never"),
        (0.012, Unit.SHARE, "1.2 %"),
        (0.5, Unit.SHARE, "50 %"),
        (1234567, Unit.COUNT, "1,234,567"),
        (1023.6, Unit.MIB, "1,024 MiB"),
    ],
)
def test_values_in_words(value: float, unit: Unit, text: str) -> None:
    """Numbers have their unit, and as many digits as people read."""
    assert format_value(value, unit) == text


def change(name: str, value: float, *, subject: str = "", raised: bool = True) -> Change:
    rule = RULES[name]
    return Change(rule, rule.limit, subject, raised, value, START_MS, START_MS + 90_000)


def test_words_say_what_happened_and_what_to_do() -> None:
    """One line has all that one person without Prometheus needs."""
    told_to = one_line(change("reply_slow", 0.61))
    assert told_to.startswith(
        "reply_slow (warning) since 2025-06-15T15:06:40Z: The slowest 1 % of the requests in the last 5 min, and at least "
        "three, took 610 ms or longer to answer (threshold: 250 ms). Impact: Twilio gives up after 15 s."
    )
    assert " Fix: Find the slow stage in hookline_ingress_stage_seconds" in told_to
    assert told_to.endswith(" Runbook: docs/runbook.md, section reply-slow")
    assert summary(change("backlog_high", 0.5, subject="calls")) == (
        "The backlog of topic calls is at 50 % of INGRESS_BACKLOG_LIMIT (threshold: 50 %)."
    )


def test_alert_links_to_the_runbook() -> None:
    """With the address of the runbook, its section is a link in every text: Slack gets one that it cannot misread."""
    (raised,) = Alerts({"spool_waiting": limit(60, 0)}, f"{RUNBOOK}?a=1&b=2").observe("spool_waiting", {"": 61}, 1.0, START_MS)
    link = f"{RUNBOOK}?a=1&b=2#spool-waiting"
    assert one_line(raised).endswith(f" Runbook: {link}")
    body = body_of(AlertFormat.SLACK, [raised], "ingress web-1:9080", 0)
    assert body["text"].splitlines()[-1] == f"Runbook: <{RUNBOOK}?a=1&amp;b=2#spool-waiting>"
    assert body["alerts"][0]["runbook"] == link


@pytest.mark.parametrize("name", RULES)
def test_every_rule_reads_well(name: str) -> None:
    """Whatever it is about, all placeholders are filled, and it is sentences."""
    rule = RULES[name]
    text = explanation(change(name, rule.limit.threshold, subject="it" if rule.per else ""))
    assert "{" not in text
    assert ".." not in text
    assert all(part[0].isupper() or part[0] == "{" for part in (rule.happened, rule.meaning, rule.remedy))
    assert all(part.endswith(".") for part in (rule.happened, rule.meaning, rule.remedy))
    assert ("{threshold}" in rule.happened) == ("{value}" in rule.happened) == (not rule.watches.startswith("1 while"))
    assert bool(rule.per) == ("{subject}" in rule.happened)
    assert (rule.limit.window_s is not None) >= ("{window}" in rule.happened)


def test_message_for_a_channel() -> None:
    """Slack gets a text in which nothing is taken for markup of its own, programs get the same as fields, as valid JSON."""
    raised = change("breaker_open", 1, subject="<crm & co>")
    body = json.loads(
        json.dumps(body_of(AlertFormat.SLACK, [raised, raised._replace(raised=False, value=inf)], "ingress web-1:9080", 3))
    )
    heading, fired, impact, fix, runbook, resolved, left_out = body["text"].splitlines()
    assert heading == "[firing, warning] ingress web-1:9080: breaker_open &lt;crm &amp; co&gt;"
    assert fired.startswith("The circuit breaker &lt;crm &amp; co&gt; is open: ")
    assert impact.startswith("Impact: ")
    assert fix.startswith("Fix: ")
    assert runbook == "Runbook: docs/runbook.md, section breaker-open"
    assert resolved == "[resolved] ingress web-1:9080: breaker_open &lt;crm &amp; co&gt;, after 90 s."
    assert left_out == "ingress web-1:9080: older alerts that were left out: 3."
    assert body["service"] == "ingress web-1:9080"
    assert [(one["alert"], one["subject"], one["state"], one["value"]) for one in body["alerts"]] == [
        ("breaker_open", "<crm & co>", "firing", 1),
        ("breaker_open", "<crm & co>", "resolved", None),
    ]
    assert as_fields(raised)["runbook"] == "docs/runbook.md#breaker-open"


def test_message_of_the_documentation() -> None:
    """What docs/alerts.md shows is what a channel gets."""
    page = (Path(__file__).parents[4] / "docs" / "alerts.md").read_text()
    firing = change("spool_filling", 0.62)._replace(runbook_url=RULES["spool_filling"].runbook(RUNBOOK))
    text = body_of(AlertFormat.SLACK, [firing, firing._replace(raised=False, value=0.1)], "ingress web-1:9080", 0)["text"]
    assert page.partition("### What is posted\n")[2].partition("```\n")[2].partition("```")[0] == f"{text}\n".replace(
        "<", ""
    ).replace(">", "")
