"""Variables that platforms set, such as PORT, and that are used if our own setting is not set."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hookline_shared.settings.secret_files import names_file, read_secret_files


class Fallback(NamedTuple):
    """`variable` is used as `setting` if that is not set. `obstacle` returns why a value cannot be used, empty if it can.

    With `empty_refuses`, an empty `setting` keeps `variable` from being used. `adapted` returns the value that is used,
    empty if this one says nothing.
    """

    variable: str
    setting: str
    meaning: str
    obstacle: Callable[[str], str]
    empty_refuses: bool = False
    adapted: Callable[[str], str] = str

    def value(self, written: Any) -> str:
        """Return the value that is used if `written` is that of the variable."""
        return self.adapted(",".join(map(str, written)) if isinstance(written, list | tuple) else str(written))


class Found(NamedTuple):
    """A fallback whose setting is not set, its value, and why that is ignored, empty if it is not."""

    fallback: Fallback
    value: Any
    obstacle: str

    def __str__(self) -> str:
        """Return the message that it is ignored, and why, without its value, which may be a secret."""
        return f"{self.fallback.variable} is not used as {self.fallback.setting}: {self.obstacle}."


def find_fallbacks(
    fallbacks: Iterable[Fallback], file: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> Iterator[Found]:
    """Yield the fallbacks that are set, in `environment` or in `file`, and whose setting is not.

    Raises:
        SettingsError: if a secret file cannot be read.

    """
    named = {name.upper(): value for name, value in environment.items()}
    for one in fallbacks:
        own = named.get(one.setting)
        if own or (own == "" and one.empty_refuses) or one.setting in file or names_file(one.setting, environment):
            continue
        in_file = read_secret_files([one.variable], environment)
        value = named.get(one.variable) or in_file.get(one.variable) or file.get(one.variable)
        if value and (used := one.value(value)):
            yield Found(one, used, one.obstacle(used))
