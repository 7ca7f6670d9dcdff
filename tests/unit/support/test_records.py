"""The file that handlers write while a test reads it."""

import json
from pathlib import Path

import pytest

from tests.acceptance.support.records import Record

CASES = {"being written": '{"what": "e', "writer killed": '{"what": "en\n\n{"what": "end"}\n{"w'}


@pytest.mark.parametrize("rest", CASES.values(), ids=CASES)
def test_line_without_its_end_is_none(tmp_path: Path, rest: str) -> None:
    """The system writes a line that crosses a page of memory in two parts, between which others read and processes die."""
    lines = [{"what": "begin"}, {"what": "end"}]
    (tmp_path / "record").write_text("\n".join(map(json.dumps, lines)) + "\n" + rest)
    found = Record(tmp_path / "record").lines()
    assert found[:2] == lines
    assert found[2:] == [{"what": "end"}] * rest.count("end")
