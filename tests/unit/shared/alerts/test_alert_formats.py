"""The bodies of POSTs to Slack, PagerDuty and plain webhooks, and what they say about causes."""

import pytest

from hookline_shared.alerts.formats import AlertFormat, body_of, format_of
from hookline_shared.alerts.hysteresis import Alerts, Change
from hookline_shared.alerts.measures import causes
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.breaker import Breaker
from hookline_shared.errors import HooklineError
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

_PLACE = "processor web-1:9081"
_RUNBOOK = "https://wiki.example.com/hookline/runbook"
_MISSING = "The ledger's tables are missing: run `hookline ledger migrate`"


def database_alert(*, raised: bool = True) -> Change:
    """Return the alert about a database without the tables of the ledger."""
    rule = RULES["breaker_open"]
    link = rule.runbook(_RUNBOOK)
    return Change(rule, rule.limit, "database", raised, 1, 1_750_000_000_000, 1_750_000_090_000, link, f"{_MISSING}.")


@pytest.mark.parametrize("kind", list(AlertFormat))
def test_missing_table_is_told_as_such(kind: AlertFormat) -> None:
    """The cause is named, with what it means for the ledger; nothing says that webhooks are affected."""
    text = str(body_of(kind, [database_alert()], _PLACE, 0, "key"))
    assert "tables are missing: run `hookline ledger migrate`" in text
    assert "Only the ledger is affected" in text
    assert "spool" not in text
    assert "503" not in text


def test_every_breaker_has_its_own_consequence() -> None:
    """Redis is the one that leads to the spool; a handler's destination makes its events wait."""
    rule = RULES["breaker_open"]
    assert "spool" in rule.impact_of("redis 10.0.0.5:6379").meaning
    assert "handlers need it wait" in rule.impact_of("crm").meaning
    for subject in ("redis", "database", "crm"):
        assert all(part[0].isupper() and part.endswith(".") for part in rule.impact_of(subject))


def test_pagerduty() -> None:
    """One event, whose key is the same when it is resolved; the link and the fields are there."""
    firing = body_of(AlertFormat.PAGERDUTY, [database_alert()], _PLACE, 0, "key")
    assert (firing["routing_key"], firing["event_action"]) == ("key", "trigger")
    payload = firing["payload"]
    assert (payload["severity"], payload["source"], payload["component"]) == ("warning", _PLACE, "processor")
    assert payload["summary"].startswith(f"{_PLACE}: breaker_open database: The circuit breaker database is open")
    assert payload["custom_details"]["cause"] == f"{_MISSING}."
    assert firing["links"] == [{"href": f"{_RUNBOOK}#breaker-open", "text": "Runbook: breaker-open"}]
    resolved = body_of(AlertFormat.PAGERDUTY, [database_alert(raised=False)], _PLACE, 0, "key")
    assert resolved == {"routing_key": "key", "event_action": "resolve", "dedup_key": firing["dedup_key"]}


def test_slack_and_webhook() -> None:
    """Slack's text has a link that opens, and no markup of others; the plain text is as it is."""
    alert = database_alert()._replace(cause="It <failed> & stopped.")
    slack = body_of(AlertFormat.SLACK, [alert], _PLACE, 0)
    assert slack["text"].endswith(f"\nRunbook: <{_RUNBOOK}#breaker-open>")
    assert "It &lt;failed&gt; &amp; stopped." in slack["text"]
    plain = body_of(AlertFormat.WEBHOOK, [alert, database_alert(raised=False)], _PLACE, 3)
    assert "It <failed> & stopped." in plain["text"]
    assert (plain["left_out"], len(plain["alerts"]), plain["service"]) == (3, 2, _PLACE)


@pytest.mark.parametrize(
    ("url", "chosen", "kind"),
    [
        ("https://hooks.slack.com/services/x", None, AlertFormat.SLACK),
        ("https://events.pagerduty.com/v2/enqueue", None, AlertFormat.PAGERDUTY),
        ("https://events.eu.pagerduty.com/v2/enqueue", None, AlertFormat.PAGERDUTY),
        ("https://notpagerduty.com/x", None, AlertFormat.SLACK),
        ("https://example.com/x", AlertFormat.WEBHOOK, AlertFormat.WEBHOOK),
    ],
)
def test_format_is_chosen(url: str, chosen: AlertFormat | None, kind: AlertFormat) -> None:
    """By the setting, otherwise by the host."""
    assert format_of(url, chosen) is kind


def test_cause_is_the_error_that_opened_the_breaker() -> None:
    """It is known while the breaker is open; what a handler's call said stays private, and numbers are masked."""
    clock, logbook = ManualClock(), Logbook()
    breakers = {name: Breaker(name, clock, logbook.logger, fail_max=1) for name in ("database", "redis a:1", "crm")}
    errors = {"database": _MISSING, "redis a:1": "refused for +14155550123", "crm": "no such person +14155550123"}
    for name, breaker in breakers.items():
        with pytest.raises(HooklineError), breaker.guard():
            raise HooklineError(errors[name])
    told = {name: causes()["breaker_open"](name) for name in breakers}
    assert told == {"database": f"{_MISSING}.", "redis a:1": "refused for +***23.", "crm": ""}
    assert causes()["ledger_behind"]("") == f"{_MISSING}."
    with breakers["database"].probe():
        pass
    assert causes()["breaker_open"]("database") == ""
    for breaker in breakers.values():
        breaker.close()


def test_firing_alert_has_its_cause() -> None:
    """And the latest one, if it changes."""
    alerts = Alerts(AlertSettings().limits)
    assert not list(alerts.observe("breaker_open", {"database": 1.0}, 0, 0, lambda _: "First."))
    (change,) = alerts.observe("breaker_open", {"database": 1.0}, 10, 10_000, lambda _: "First.")
    assert change.cause == "First."
    assert not list(alerts.observe("breaker_open", {"database": 1.0}, 11, 11_000, lambda _: "Second."))
    assert [change.cause for change in alerts.raised()] == ["Second."]
