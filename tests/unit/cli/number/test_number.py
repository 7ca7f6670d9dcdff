"""The URLs of numbers, and what is noted of them before they are changed."""

from pathlib import Path

import pytest

from hookline_cli.number.saved import SavedNumber, SavedNumbers
from hookline_cli.number.urls import Number, findings, number_of, pointed
from hookline_shared.errors import HooklineError

BASE = "https://hooks.example.com"


def number(sms: str = "", voice: str = "") -> Number:
    return Number("PN1", "+14155550100", {"sms_url": sms, "voice_url": voice})


def test_only_the_host_changes_with_a_forward() -> None:
    """Path and query are those that the app has; without a forward, the built-in path takes everything."""
    before = number("https://app.example.com/sms?tenant=7#rc=2", "https://app.example.com/")
    assert pointed(before, BASE, None, keeps_paths=True) == {
        "sms_url": f"{BASE}/sms?tenant=7#rc=3&rp=all",
        "voice_url": f"{BASE}/twilio#rc=3&rp=all",
    }
    assert set(pointed(before, BASE, None, keeps_paths=False).values()) == {f"{BASE}/twilio#rc=3&rp=all"}
    assert set(pointed(before, BASE, "/app/x", keeps_paths=True).values()) == {f"{BASE}/app/x#rc=3&rp=all"}


@pytest.mark.parametrize(
    ("url", "finding"),
    [
        ("", "SmsUrl: none"),
        ("https://app.example.com/sms", "SmsUrl: calls another host"),
        ("https://hooks.example.com.evil.net/sms#rc=3&rp=all", "SmsUrl: calls another host"),
        (f"{BASE}/sms", "SmsUrl: lacks #rc=3&rp=all"),
        (f"{BASE}/sms#rc=3", "SmsUrl: lacks #rc=3&rp=all"),
        (f"{BASE}/sms#rp=all&rc=0", "SmsUrl: lacks #rc=3&rp=all"),
        (f"{BASE}/sms#rp=all", None),
        (f"{BASE}/sms?x=1#ct=2000&rc=2&rp=all", None),
    ],
)
def test_findings(url: str, finding: str | None) -> None:
    """What calls elsewhere, and what Twilio does not repeat."""
    found = list(findings(number(url, f"{BASE}/v#rc=3&rp=all"), [BASE]))
    assert found == ([finding] if finding else [])


def test_application_that_handles_a_number() -> None:
    """Its URLs count for nothing then."""
    item = {"sid": "PN1", "phone_number": "+1", "sms_url": "x", "voice_url": f"{BASE}/v#rp=all", "sms_application_sid": "AP1"}
    assert list(findings(number_of(item), [BASE])) == ["SmsUrl: application AP1 handles it"]


def test_first_urls_are_kept(tmp_path: Path) -> None:
    """Pointing twice does not forget what the number had before; somebody's change in between counts as new."""
    saved, old = SavedNumbers(tmp_path / "new"), {"sms_url": "old"}
    saved.note("PN1", "+1", old, {"sms_url": "first"})
    saved.note("PN1", "+1", {"sms_url": "first"}, {"sms_url": "second"})
    assert saved.read() == {"PN1": SavedNumber("+1", old, {"sms_url": "second"})}
    saved.note("PN1", "+1", {"sms_url": "other"}, {"sms_url": "third"})
    assert saved.read()["PN1"].before == {"sms_url": "other"}
    saved.forget("PN1")
    assert saved.read() == {}


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is not overwritten: nobody would know what numbers had before."""
    (tmp_path / "numbers.json").write_text("{")
    with pytest.raises(HooklineError, match="cannot be read"):
        SavedNumbers(tmp_path).note("PN1", "+1", {}, {})
