"""`[alerts.<name>]` in the TOML file, ALERT_URL and RUNBOOK_URL."""

from pathlib import Path

import pytest

from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.thresholds import Level, Threshold
from hookline_shared.errors import SettingsError
from hookline_shared.settings.config_file import CONFIG_VARIABLE

SECRET = "https://hooks.slack.com/services/T000/B000/planted"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a TOML file that is named already."""
    made = tmp_path / "hookline.toml"
    monkeypatch.setenv(CONFIG_VARIABLE, str(made))
    return made


def complaint() -> str:
    with pytest.raises(SettingsError) as caught:
        ProcessorSettings.load()
    (problem,) = caught.value.problems
    return problem


def test_without_a_file_all_are_as_usual() -> None:
    """Every alert is watched, as its rule says."""
    assert ProcessorSettings.load().alerts.limits == {name: rule.limit for name, rule in RULES.items()}


def test_what_is_said_changes_and_the_rest_stays(file: Path) -> None:
    """A threshold alone takes the one to clear along; both services read the same tables."""
    file.write_text(
        """
        [alerts.oldest_event_old]
        threshold = 1800
        level = "critical"
        [alerts.reply_slow]
        threshold = 1
        clear = 0.9
        window_s = 10
        for_s = 0
        [alerts.disk_low]
        enabled = false
        """
    )
    alerts = ProcessorSettings.load().alerts.limits
    assert alerts["oldest_event_old"] == Threshold(threshold=1800, clear=360, for_s=15, level=Level.CRITICAL)
    assert alerts["reply_slow"] == Threshold(threshold=1, clear=0.9, for_s=0, window_s=10, level=Level.WARNING)
    assert (alerts["disk_low"].enabled, alerts["disk_low"].threshold) == (False, 1024)
    assert alerts["write_slow"] == RULES["write_slow"].limit


def test_example_of_the_documentation(file: Path) -> None:
    """What people copy from docs/alerts.md is right."""
    page = (Path(__file__).parents[4] / "docs" / "alerts.md").read_text()
    file.write_text(page.partition("```toml\n")[2].partition("```")[0])
    alerts = ProcessorSettings.load().alerts.limits
    assert alerts["oldest_event_old"].threshold == 1800
    assert alerts["dead_letters_growing"].threshold == 20
    assert not alerts["disk_low"].enabled


MISTAKES = """
processor_lease_s = 0.1
[alerts.repl_slow]
threshold = 1
[alerts.reply_slow]
threshold = "high"
treshold = 2
[alerts.write_slow]
clear = 0.2
[alerts.disk_low]
clear = 10
[alerts.backlog_high]
window_s = 5
level = "loud"
[alerts.spool_filling]
window_s = 5
[alerts.pool_saturated]
threshold = 0
[alerts.handlers_failing]
for_s = -1
threshold = inf
window_s = 86400
"""
EXPECTED = (
    "ALERTS is wrong: there is no alert repl_slow; did you mean reply_slow?",
    "reply_slow: threshold: it must be a number of at least 0",
    "reply_slow: treshold: there is no such key; the keys are threshold, clear, for_s, window_s, level, enabled",
    "write_slow: clear is 0.2, and must be below the threshold, 0.1, or equal to it",
    "disk_low: clear is 10, and must be above the threshold, 1024, or equal to it",
    "backlog_high: level: it must be warning or critical",
    "spool_filling: window_s has no effect: its value is not computed over a window",
    "pool_saturated: threshold is 0, at which the alert would always fire",
    "handlers_failing: for_s: it must be a number of at least 0",
    "handlers_failing: threshold: it must be a finite number",
    "handlers_failing: window_s: it must be a number above 0 and up to 3600",
)


def test_every_mistake_is_in_one_message(file: Path) -> None:
    """Each names the alert and what would be right, beside other settings that are wrong."""
    file.write_text(MISTAKES)
    with pytest.raises(SettingsError) as caught:
        ProcessorSettings.load()
    alerts, lease = caught.value.problems
    assert lease.startswith("PROCESSOR_LEASE_S is wrong")
    for expected in EXPECTED:
        assert expected in alerts
    file.write_text("alerts = 3")
    assert complaint().startswith("ALERTS is wrong: it must consist of tables, each headed [alerts.<name>].")
    file.write_text("[alerts]\nreply_slow = 3")
    assert "reply_slow: it must be a table" in complaint()


def test_alert_url_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever knows it can write to the channel, so no log and no error has it."""
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "0123456789abcdef")
    monkeypatch.setenv("ALERT_URL", SECRET)
    settings = IngressSettings.load()
    assert settings.alerts.url == SECRET
    assert SECRET in settings.secrets()
    assert "planted" not in repr(settings)


@pytest.mark.parametrize("url", ["ftp://host/planted", "https:///planted", "planted", "https://host:x/planted"])
def test_wrong_alert_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused at the door, and not quoted."""
    monkeypatch.setenv("ALERT_URL", url)
    problem = complaint()
    assert problem.startswith("ALERT_URL is wrong: ")
    assert "planted" not in problem


@pytest.mark.parametrize(
    "url", ["https://wiki.example.com/hookline/runbook", "http://wiki:8090/x?page=7&b=c", "http://[::1]/runbook"]
)
def test_runbook_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any address to which the name of a section can be added; by default there is none."""
    assert ProcessorSettings.load().alerts.runbook_url is None
    monkeypatch.setenv("RUNBOOK_URL", url)
    assert ProcessorSettings.load().alerts.runbook_url == url


@pytest.mark.parametrize(
    "url",
    [
        "docs/runbook.md",
        "ftp://wiki/runbook",
        "https:///runbook",
        "https://wiki:x/runbook",
        "https://wiki/runbook#top",
        "https://wiki/run book",
        "https://wiki/run>book",
        "https://reader:planted@wiki/runbook",
    ],
)
def test_wrong_runbook_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no address, has a section already, or would break or betray something in a message, is refused."""
    monkeypatch.setenv("RUNBOOK_URL", url)
    problem = complaint()
    assert problem.startswith("RUNBOOK_URL is wrong: ")
    assert "planted" not in problem
