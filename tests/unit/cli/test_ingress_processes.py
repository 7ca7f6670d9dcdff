"""How `hookline up` divides the settings among several ingress processes."""

import sqlite3
from pathlib import Path

import pytest

from hookline_cli.up.child_process import UpError
from hookline_cli.up.ingress_processes import check_left_over, plan, spool_of
from hookline_ingress.settings import IngressSettings
from hookline_ingress.spool.database import NewEntry, SpoolFile
from tests.support.processor.events import event

_PROCESSOR = 9081


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "planted-token")


def keep(spool: Path, events: int) -> None:
    file = SpoolFile(spool, max_mb=1)
    file.open()
    file.commit([NewEntry("messages", 0, event()) for _ in range(events)])
    file.close()


def test_one_process_has_the_settings_as_they_are() -> None:
    """Without --ingress, nothing is derived."""
    assert plan(IngressSettings.load(), 1, _PROCESSOR) == [("ingress", 9080, Path("var/spool.db"))]


def test_each_process_has_its_own() -> None:
    """Names, admin ports and spools differ, and are in the settings of each process."""
    planned = plan(IngressSettings.load(), 3, _PROCESSOR)
    assert planned == [
        ("ingress-1", 9080, Path("var/spool.db")),
        ("ingress-2", 9090, Path("var/spool-2.db")),
        ("ingress-3", 9100, Path("var/spool-3.db")),
    ]
    assert planned[1].environment() == {"INGRESS_ADMIN_PORT": "9090", "INGRESS_SPOOL_PATH": "var/spool-2.db"}


def test_no_spool_for_one_is_none_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path is handed on as such."""
    monkeypatch.setenv("INGRESS_SPOOL_PATH", "")
    planned = plan(IngressSettings.load(), 2, _PROCESSOR)
    assert [one.environment()["INGRESS_SPOOL_PATH"] for one in planned] == ["", ""]


@pytest.mark.parametrize("first", [0, 65530, _PROCESSOR - 10])
def test_impossible_admin_ports_are_refused(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that nobody could learn, that does not exist or that the processor has is refused before anything starts."""
    monkeypatch.setenv("INGRESS_ADMIN_PORT", str(first))
    with pytest.raises(UpError, match="Choose another INGRESS_ADMIN_PORT"):
        plan(IngressSettings.load(), 2, _PROCESSOR)


@pytest.mark.parametrize(("path", "second"), [("a/spool.db", "a/spool-2.db"), ("a/b.c.db", "a/b.c-2.db"), ("bare", "bare-2")])
def test_spools_are_named_after_the_first(path: str, second: str) -> None:
    """The number stands before the suffix, if there is one."""
    assert spool_of(Path(path), 2) == Path(second)


def test_left_over_events_are_counted(tmp_path: Path) -> None:
    """The message says how many events lie where, and how many processes it takes to deliver them."""
    first = tmp_path / "a spool#1?.db"
    for number, events in ((1, 7), (2, 2), (3, 0), (4, 1)):
        keep(spool_of(first, number), events)
    with pytest.raises(UpError, match=r": 2 in .*-2\.db and 1 in .*-4\.db\. Start once with --ingress 4"):
        check_left_over(first, 1)
    check_left_over(first, 4)


def test_unsettled_wal_is_counted(tmp_path: Path) -> None:
    """What a killed ingress committed counts, though its file was never put in order."""
    first = tmp_path / "spool.db"
    file = SpoolFile(spool_of(first, 2), max_mb=1)
    file.open()
    file.commit([NewEntry("messages", 0, event())])
    with pytest.raises(UpError, match=": 1 in "):
        check_left_over(first, 1)
    file.close()


def test_files_without_events_are_no_obstacle(tmp_path: Path) -> None:
    """A file that was made and never used holds nothing."""
    (tmp_path / "spool-2.db").touch()
    sqlite3.connect(tmp_path / "spool-3.db").close()
    check_left_over(tmp_path / "spool.db", 1)


def test_damaged_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read might hold events, so it is not passed over."""
    (tmp_path / "spool-2.db").write_bytes(b"no database " * 100)
    with pytest.raises(UpError, match=r"spool-2\.db, which cannot be read"):
        check_left_over(tmp_path / "spool.db", 1)
