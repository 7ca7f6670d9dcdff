"""Dead letters by their error."""

import pytest

from hookline_cli.dead import by_error
from hookline_cli.dead.by_error import ErrorGroups, pattern_of
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import output
from hookline_shared.dead_letter import DeadLetter
from tests.support.storage.dead_letters import deaths


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("TimeoutError: no answer from +14155550123", "TimeoutError: no answer from +14155550199", True),
        ("KeyError: 'ProfileName'", "KeyError: 'WaId'", True),
        ("HTTPError: 500 for SM" + "0" * 32, "HTTPError: 503 for SM" + "1" * 32, True),
        ("TimeoutError: the shop", "TimeoutError: the bank", False),
        ("A: x", "B: x", False),
    ],
)
def test_errors_that_are_the_same(one: str, other: str, same: bool) -> None:
    """Numbers, ids and quoted values do not make another error."""
    assert (pattern_of(one) == pattern_of(other)) is same


def _letters(number: int) -> list[DeadLetter]:
    made = enumerate(deaths(number))
    return [DeadLetter(0, f"{1000 + nth}-0", [_bytes(word) for word in fields]) for nth, (_, fields) in made]


def _bytes(word: object) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


def test_groups_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Each error has its number, its kinds and its newest letter, without personal data; the largest group comes first."""
    groups = ErrorGroups()
    for letter in _letters(10):
        groups.add(letter)
    found = by_error.objects(groups.by_size(), Redaction(reveal=False))
    assert (found[0]["count"], found[0]["reason"]) == (4, "exhausted")
    assert sorted(str(one["kinds"]) for one in found) == [
        "{'call.received': 3}",
        "{'conversation.onMessageAdded': 3}",
        "{'message.received': 4}",
    ]
    output().print(by_error.table(groups.by_size(), Redaction(reveal=False), 0))
    shown = capsys.readouterr().out
    assert "TimeoutError: the shop did not answer +***23" in shown
    assert "+14155550123" not in shown


def test_groups_are_bounded() -> None:
    """Errors that are all different take no more memory than a thousand do."""
    groups = ErrorGroups()
    for number in range(1100):
        word = "".join(chr(ord("k") + int(digit)) for digit in str(number))
        fields = [b"dead.reason", b"exhausted", b"dead.error", b"E" + word.encode(), b"dead.message", b"x"]
        groups.add(DeadLetter(0, "1000-0", fields))
    assert len(groups.by_size()) == 1001
    assert sum(group.count for group in groups.by_size()) == 1100
