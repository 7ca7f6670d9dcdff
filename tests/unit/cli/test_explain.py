"""What `hookline explain` says about Twilio's error codes."""

import json
import re

import pytest
from typer.testing import CliRunner

from hookline_cli.explain.explain import UnknownCodeError
from hookline_cli.explain.twilio_codes import AS_OF, CODES, page_of
from hookline_cli.main import app


def test_code_is_explained() -> None:
    """With what it means, what to do, Twilio's page, and how old the table is."""
    shown = CliRunner().invoke(app, ["explain", "30003"])
    assert shown.exit_code == 0
    for expected in ("Unreachable destination handset", "Send again later", page_of(30003), AS_OF):
        assert expected in " ".join(shown.output.split())


def test_code_that_is_not_in_the_table() -> None:
    """It is not said to be wrong: the table is a selection, and Twilio's page is named."""
    missing = CliRunner().invoke(app, ["explain", "99998"])
    assert isinstance(missing.exception, UnknownCodeError)
    assert "not in Hookline's table" in str(missing.exception)
    assert str(missing.exception).endswith("https://www.twilio.com/docs/api/errors/99998")
    found = json.loads(CliRunner().invoke(app, ["explain", "99998", "--json"]).output)
    assert (found["known"], found["title"], found["page"]) == (False, None, page_of(99998))


@pytest.mark.parametrize("text", ["abc", "0", "-1"])
def test_code_that_is_none(text: str) -> None:
    """Anything but a number is a mistake of the command line."""
    assert CliRunner().invoke(app, ["explain", text]).exit_code == 2


def test_table_is_complete() -> None:
    """Each code has a title, a meaning and a remedy; sentences end with a full stop. The common codes are there."""
    assert {11200, 11205, 12300, 20003, 21610, 30003, 30007, 30034, 63016, 13224} <= CODES.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", AS_OF)
    for code, (title, meaning, remedy) in CODES.items():
        assert 10_000 <= code < 100_000
        assert title[-1] != "."
        assert (meaning[-1], remedy[-1]) == (".", "."), code
