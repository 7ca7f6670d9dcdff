"""How settings are read: conversion, limits, checks, groups and tables, and what is said of every mistake."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from hookline_shared.validation import (
    AtLeastOne,
    Check,
    InvalidError,
    NotNegative,
    Positive,
    Problem,
    Read,
    SettingsGroup,
    SettingsTable,
    Variable,
    fields_of,
    read_table,
    read_variables,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def even(number: int) -> int:
    if number % 2:
        raise ValueError("it is odd")
    return number


class Pool(SettingsGroup, frozen=True, kw_only=True):
    size: Annotated[AtLeastOne, Check(even), Variable("POOL_SIZE", "Connections")] = 4
    password: Annotated[str, Variable("POOL_PASSWORD", "Of the server", secret=True)] = "planted"
    internal: int = 7


class Settings(SettingsTable, frozen=True, kw_only=True):
    pool: Pool
    url: Annotated[str, Variable("URL", "Where it is")]
    port: Annotated[int, Meta(ge=0, le=65535), Variable("PORT", "Its port")] = 80
    wait_s: Annotated[Positive | None, Variable("WAIT_S", "Seconds")] = None
    share: Annotated[NotNegative, Variable("SHARE", "A share")] = 0.5
    mode: Annotated[Literal["on", "off", "auto"], Variable("MODE", "A mode")] = "off"
    colour: Annotated[Colour, Variable("COLOUR", "A colour")] = Colour.RED
    file: Annotated[Path | None, Variable("FILE", "A file")] = None
    words: Annotated[tuple[str, ...], Read(lambda text: tuple(text.split())), Variable("WORDS", "Words")] = ()

    @classmethod
    def contradictions(cls, valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield that there is a time without a share."""
        if valid.get("wait_s") is not None and valid.get("share") == 0:
            yield "wait_s", "it needs a share"


def read(**values: object) -> Settings:
    return read_variables(Settings, {"URL": "here", **values})


def problems(**values: object) -> list[Problem]:
    with pytest.raises(InvalidError) as caught:
        read(**values)
    return caught.value.problems


def test_defaults() -> None:
    """What is not set has its default, in groups, too; None means that there is no value."""
    assert read() == Settings(pool=Pool(), url="here")


@pytest.mark.parametrize(
    ("variable", "written", "field", "value"),
    [
        *(("PORT", text, "port", 8080) for text in ("8080", " 8080 ", "+8080", "8_080", "8080.0", 8080)),
        *(("WAIT_S", text, "wait_s", 5) for text in ("5", "5.0", " 5e0", 5, 5.0)),
        ("WAIT_S", "inf", "wait_s", float("inf")),
        ("SHARE", "0", "share", 0),
        ("MODE", "auto", "mode", "auto"),
        ("COLOUR", "blue", "colour", Colour.BLUE),
        ("FILE", "/var/x", "file", Path("/var/x")),
        ("WORDS", "a b", "words", ("a", "b")),
    ],
)
def test_values(variable: str, written: object, field: str, value: object) -> None:
    """Text from the environment and values of the TOML file mean the same."""
    assert getattr(read(**{variable: written}), field) == value


@pytest.mark.parametrize(
    ("variable", "written", "message"),
    [
        *(
            ("PORT", wrong, "it must be a whole number from 0 to 65535")
            for wrong in ("80k", "-1", "65536", "", True, 1.5, [80])
        ),
        ("PORT", "9" * 5000, "it must be a whole number from 0 to 65535"),
        *(("WAIT_S", wrong, "it must be a number above 0") for wrong in ("0", "nan", "null", "soon", None)),
        *(("SHARE", wrong, "it must be a number of at least 0") for wrong in ("-0.1", "nan")),
        ("POOL_SIZE", "0", "it must be a whole number of at least 1"),
        ("POOL_SIZE", "3", "it is odd"),
        ("MODE", "maybe", "it must be on, off or auto"),
        ("COLOUR", "green", "it must be red or blue"),
        ("FILE", 3, "it must be a path"),
        ("URL", 3, "it must be text"),
    ],
)
def test_wrong_value(variable: str, written: object, message: str) -> None:
    """The message says what would be right, and does not quote what is wrong."""
    assert problems(**{variable: written}) == [Problem(variable, message)]


def test_every_mistake_is_reported() -> None:
    """In the order of the fields, those of a group in its place."""
    with pytest.raises(InvalidError) as caught:
        read_variables(Settings, {"POOL_SIZE": "none", "PORT": "none", "MODE": "none"})
    assert [(one.name, one.missing) for one in caught.value.problems] == [
        ("POOL_SIZE", False),
        ("URL", True),
        ("PORT", False),
        ("MODE", False),
    ]


def test_contradiction() -> None:
    """Two values that are right by themselves; one that is wrong by itself contradicts nothing."""
    assert problems(WAIT_S="1", SHARE="0") == [Problem("WAIT_S", "it needs a share")]
    assert [one.name for one in problems(WAIT_S="1", SHARE="none")] == ["SHARE"]


def test_fields_with_a_variable() -> None:
    """Those of a group are among them; what has no variable cannot be set."""
    names = [variable.name for _, variable in fields_of(Settings)]
    assert names == ["POOL_SIZE", "POOL_PASSWORD", "URL", "PORT", "WAIT_S", "SHARE", "MODE", "COLOUR", "FILE", "WORDS"]
    assert read(internal=8, INTERNAL=8).pool.internal == 7


def test_secret_is_not_shown() -> None:
    """Neither in a representation nor in an error."""
    assert "planted" not in repr(read())
    assert "size=4" in repr(read())


class Table(SettingsTable, frozen=True, kw_only=True):
    weight: AtLeastOne = 1
    limit: AtLeastOne | None = None


def test_table() -> None:
    """Its keys are the names of the fields; where it lacks one, the usual value counts."""
    assert read_table(Table, {"limit": 3}) == Table(limit=3)
    assert read_table(Table, {"limit": 3}, usual=Table(weight=5, limit=2)) == Table(weight=5, limit=3)
    assert read_table(Table, {}, usual=Table()) == Table()


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (3, [("", "it must be a table")]),
        (
            {"wait": 1, "weight": 0},
            [
                ("weight", "it must be a whole number of at least 1"),
                ("wait", "there is no such key; the keys are weight, limit"),
            ],
        ),
    ],
)
def test_mistakes_in_a_table(table: object, found: list[tuple[str, str]]) -> None:
    """Unknown keys are mistakes, too."""
    with pytest.raises(InvalidError) as caught:
        read_table(Table, table)
    assert [(one.name, one.message) for one in caught.value.problems] == found
