"""How settings are declared and read.

Settings are frozen structs. The annotation of a field has its type with its limits, and a `Variable` if it can be set by one:

    pool_size: Annotated[AtLeastOne, Variable("REDIS_POOL_SIZE", "Size of the pool of connections")] = 16

`read_variables` reads them by the names of their variables, `read_table` reads a table of the TOML file by the names of its
keys. Both report every mistake, for people, and quote no value, since it may be a secret. Pure.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import NODEFAULT, Meta, Struct

AtLeastOne = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]

_TYPES: Final = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}


class Variable(NamedTuple):
    """The variable of a setting: its name, and its meaning for people. A secret is shown nowhere."""

    name: str
    meaning: str
    secret: bool = False


class Read(NamedTuple):
    """Reads a value as it is written, instead of its conversion to the type. Raises ValueError with what is wrong with it."""

    function: Callable[[Any], Any]


class Check(NamedTuple):
    """Returns a value of the right type as it is used. Raises ValueError with what is wrong with it."""

    function: Callable[[Any], Any]


class Problem(NamedTuple):
    """What is wrong with one variable or key. A table as a whole has no `name`. `missing`: it is required, and not set."""

    name: str
    message: str
    missing: bool = False


class InvalidError(ValueError):
    """Values are missing or wrong; `problems` has all that is."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{one.name}: {one.message}" if one.name else one.message for one in self.problems))


class SettingsTable(Struct, frozen=True, kw_only=True):
    """Settings that are read together: a table of the TOML file, or those of a service."""

    @classmethod
    def contradictions(cls, _valid: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the fields that contradict others, and why. `_valid` has all fields but those that are wrong by themselves."""
        return iter(())

    def __repr__(self) -> str:
        """Return what is no secret."""
        shown = (one.name for one in _fields(type(self)) if not (one.variable and one.variable.secret))
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


class SettingsGroup(SettingsTable, frozen=True, kw_only=True):
    """Settings that belong together, as the value that the part of a service takes for which they are.

    It is a field of the settings of a service. Each of its fields has a variable of its own.
    """


Model = TypeVar("Model", bound=SettingsTable)


class Field(NamedTuple):
    """A field of settings. `type` is the one of a value that is set, with limits; `default` is NODEFAULT if it is required."""

    name: str
    type: Any
    default: Any
    variable: Variable | None
    reader: Read | None
    checks: tuple[Check, ...]

    def read(self, written: Any) -> Any:
        """Return the value, as it is used, of what is `written` in a variable or in the TOML file.

        Raises:
            ValueError: saying what is wrong with it.

        """
        value = self.reader.function(written) if self.reader else _convert(written, self.type)
        for check in self.checks:
            value = check.function(value)
        return value


def fields_of(settings: type[SettingsTable]) -> Iterator[tuple[Field, Variable]]:
    """Yield every field that has a variable, and that, those of a group in place of the group."""
    for field in _fields(settings):
        if _is_group(field):
            yield from fields_of(field.type)
        elif field.variable is not None:
            yield field, field.variable


def field_of(settings: type[SettingsTable], name: str) -> Field:
    """Return the field `name`."""
    return next(one for one in _fields(settings) if one.name == name)


def read_variables(settings: type[Model], values: Mapping[str, Any]) -> Model:
    """Return the settings with the `values` of variables; each group takes its own of them.

    Raises:
        InvalidError: naming every variable that is missing or wrong.

    """
    return _read(settings, values, lambda field: field.variable.name if field.variable else "")


def read_table(settings: type[Model], table: Any, usual: Model | None = None) -> Model:
    """Return the settings with what is written in `table`, and with what `usual` has where the table lacks a key.

    Raises:
        InvalidError: naming every key that is missing, wrong or unknown.

    """
    if not isinstance(table, dict):
        raise InvalidError([Problem("", "it must be a table")])
    names = settings.__struct_fields__
    unknown = f"there is no such key; the keys are {', '.join(names)}"
    problems = [Problem(key, unknown) for key in table if key not in names]
    try:
        found = _read(settings, table, lambda field: field.name, usual)
    except InvalidError as error:
        raise InvalidError([*error.problems, *problems]) from None
    if problems:
        raise InvalidError(problems)
    return found


def describe_problems(error: InvalidError, table: str) -> list[str]:
    """Return one line for each mistake in `table`, naming the key."""
    return [f"{table}: {one.name}: {one.message}" if one.name else f"{table}: {one.message}" for one in error.problems]


def split_url(url: str) -> SplitResult:
    """Split `url`.

    Raises:
        ValueError: if it is malformed. The message does not quote it, since it may contain a password.

    """
    try:
        parts = urlsplit(url)
        port_is_odd = parts.port == 0 or parts.netloc.endswith(":")
    except ValueError:
        raise ValueError("it is not a URL, or its port is not a number up to 65535") from None
    if port_is_odd:
        raise ValueError("its port is missing or 0")
    return parts


def _read(
    settings: type[Model], values: Mapping[str, Any], name_of: Callable[[Field], str], usual: Model | None = None
) -> Model:
    valid: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in _fields(settings):
        name = name_of(field)
        try:
            if _is_group(field):
                valid[field.name] = _read(field.type, values, name_of)
            elif name in values:
                valid[field.name] = field.read(values[name])
            elif usual is None and field.default is NODEFAULT:
                problems.append(Problem(name, "it is missing", missing=True))
            else:
                valid[field.name] = field.default if usual is None else getattr(usual, field.name)
        except InvalidError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(Problem(name, str(error)))
    problems += [Problem(name_of(field_of(settings, name)), why) for name, why in settings.contradictions(valid)]
    if problems:
        raise InvalidError(problems)
    return settings(**valid)


def _is_group(field: Field) -> bool:
    return isinstance(field.type, type) and issubclass(field.type, SettingsGroup)


@cache
def _fields(settings: type[SettingsTable]) -> tuple[Field, ...]:
    hints = get_type_hints(settings, include_extras=True)
    found = []
    for one in msgspec.structs.fields(settings):
        kind, extras = _parts(hints[one.name])
        limits = tuple(extra for extra in extras if isinstance(extra, Meta))
        found.append(
            Field(
                one.name,
                Annotated[kind, *limits] if limits else kind,
                one.default if one.default_factory is NODEFAULT else one.default_factory(),
                next((extra for extra in extras if isinstance(extra, Variable)), None),
                next((extra for extra in extras if isinstance(extra, Read)), None),
                tuple(extra for extra in extras if isinstance(extra, Check)),
            )
        )
    return tuple(found)


def _parts(hint: Any) -> tuple[Any, list[Any]]:
    """Return the type in `hint` without None, which no source can set, and what is noted beside it."""
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        kind, found = _parts(inner)
        return kind, [*found, *extras]
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return _parts(inner)
    return hint, []


def _convert(written: Any, wanted: Any) -> Any:
    kind = _parts(wanted)[0]
    value = _number(written, kind) if kind in (int, float) and isinstance(written, str) else written
    try:
        found = msgspec.convert(value, wanted, strict=kind is not int, dec_hook=_construct)  # 8080.0 is a whole number
    except (msgspec.ValidationError, TypeError):
        raise ValueError(f"it must be {_expected(wanted)}") from None
    if isinstance(found, float) and math.isnan(found):
        raise ValueError(f"it must be {_expected(wanted)}")
    return found


def _construct(kind: Callable[[Any], Any], written: Any) -> Any:
    """Return `written` as a `kind` that msgspec does not know, a path."""
    return kind(written)


def _number(text: str, kind: type) -> Any:
    """Return the number in `text`, which is all that a variable can have; `text` if it is none."""
    for parse in (int, float) if kind is int else (float,):
        try:
            return parse(text)
        except ValueError:
            pass
    return text


def _expected(wanted: Any) -> str:
    kind, extras = _parts(wanted)
    if get_origin(kind) is Literal:
        return _either(get_args(kind))
    if issubclass(kind, Enum):
        return _either(one.value for one in kind)
    return " ".join([_TYPES[kind], *map(_limits, extras)])


def _either(values: Iterable[object]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}"


def _limits(meta: Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f"from {meta.ge} to {meta.le}"
    bounds = ((meta.ge, "of at least"), (meta.gt, "above"), (meta.le, "up to"))
    return " and ".join(f"{words} {bound}" for bound, words in bounds if bound is not None)
