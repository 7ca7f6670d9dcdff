"""Lists of tables in the TOML file, such as `[[routes]]`, in which no two tables are for one thing."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from hookline_shared.validation import InvalidError, SettingsTable, describe_problems, read_table

Table = TypeVar("Table", bound=SettingsTable)


class TableList(NamedTuple):
    """How a list is written: under the header `[[header]]`; people call each table `noun`. The key `unique` tells them apart.

    `quotes` is whether messages quote that key, which they must not where a secret could stand in its place by mistake.
    """

    header: str
    noun: str
    unique: str
    quotes: bool = True

    def label(self, position: int, table: Any) -> str:
        """Return what messages call the table at `position`, from 1."""
        if not self.quotes:
            return f"{self.noun} {position}"
        key = table.get(self.unique, f"no {self.unique}") if isinstance(table, dict) else "no table"
        return f"{self.noun} {position} ({key})"


def tables_reader(settings: type[Table], written: TableList) -> Callable[[Any], tuple[Table, ...]]:
    """Return the function that reads such a list; it raises ValueError, naming every mistake and its table."""

    def read(value: Any) -> tuple[Table, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"it must be a list of tables, each with the header [[{written.header}]]")  # noqa: TRY004 - reported beside other problems
        found, problems = [], []
        for position, table in enumerate(value, start=1):
            try:
                found.append(read_table(settings, table))
            except InvalidError as error:
                problems += describe_problems(error, written.label(position, table))
        times = Counter(getattr(one, written.unique) for one in found)
        problems += [f"there are {number} {written.noun}s for {key}" for key, number in times.items() if number > 1]
        if problems:
            raise ValueError("; ".join(problems))
        return tuple(found)

    return read
