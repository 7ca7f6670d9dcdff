"""`.env` in the working folder: more environment variables. Those of the process itself win.

They are added to the environment of the process, since the SDK of OpenTelemetry and users' handlers read it, too.
"""

import os
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hookline_shared.errors import SettingsError
from hookline_shared.settings.secret_files import SUFFIX

if TYPE_CHECKING:
    from dotenv.parser import Binding

ENV_FILE: Final = Path(".env")
_MOST_LINES: Final = 5


def read_env_file() -> dict[str, str]:
    """Return the variables of `.env`, none if there is no such file. A folder of that name, often a venv, is ignored.

    Raises:
        SettingsError: if it cannot be read, or has lines that are not assignments.

    """
    if not os.path.exists(ENV_FILE) or ENV_FILE.is_dir():  # noqa: PTH110 - Path.exists() fails in a folder that is out of bounds
        return {}
    return _parse(_read())


def apply_env_file(secrets: Iterable[str]) -> None:
    """Add the variables of `.env` that the environment lacks. One of `secrets` and the variable of its file count as one.

    Raises:
        SettingsError: as `read_env_file`.

    """
    pairs = ((name, name + SUFFIX) for name in secrets)
    named = {name for pair in pairs if any(map(os.environ.get, pair)) for name in pair}
    taken = {name.upper() for name in os.environ} | named
    os.environ.update({name: value for name, value in read_env_file().items() if name.upper() not in taken})


def own_environment() -> dict[str, str]:
    """Return the environment without the variables that `apply_env_file` added, or that have the same value as in the file."""
    try:
        added = read_env_file()
    except SettingsError:
        added = {}  # and none was added
    return {name: value for name, value in os.environ.items() if added.get(name) != value}


def _read() -> str:
    content = b""
    try:
        content = ENV_FILE.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        remedy = "Let the user of this process read it, or move it away."
        raise SettingsError([f"{ENV_FILE} cannot be read: {error.strerror}. {remedy}"]) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError([f"{ENV_FILE}, line {line}: this is not text in UTF-8. Save the file in that encoding."]) from None


def _parse(text: str) -> dict[str, str]:
    from dotenv.main import resolve_variables  # noqa: PLC0415 - most have no such file
    from dotenv.parser import parse_stream  # noqa: PLC0415

    bindings = list(parse_stream(StringIO(text)))
    if wrong := [_line(one) for one in bindings if not _is_right(one)]:
        raise SettingsError([_complaint(wrong)])
    values = [(one.key, one.value) for one in bindings if one.key is not None]
    return {name: value for name, value in resolve_variables(values, override=False).items() if value is not None}


def _is_right(binding: "Binding") -> bool:
    """Whether the line is an assignment, a comment or empty."""
    if binding.key is None:
        return not binding.error
    return binding.value is not None and "\0" not in binding.key + binding.value


def _line(binding: "Binding") -> int:
    """Return the line number of `binding`, to which the parser adds the empty lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _complaint(lines: Sequence[int]) -> str:
    """Return the message about wrong lines. It does not quote them, since they may be secrets."""
    numbers = ", ".join(map(str, lines[:_MOST_LINES])) + (", …" if len(lines) > _MOST_LINES else "")
    what = "these are no assignments" if len(lines) > 1 else "this is no assignment"
    return f"{ENV_FILE}, line {numbers}: {what}. Write NAME=value, close every quote, and begin a comment with #."
