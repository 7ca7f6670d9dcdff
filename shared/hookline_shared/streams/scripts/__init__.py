"""The Lua scripts, each one atomic step in Redis. Each file begins with its contract."""

from importlib.resources import files

from hookline_shared.redis.manager import Script

_LIBRARY = "-- Requires "
"""The first line of a script that begins with another file names it after this."""


def load_script(name: str) -> Script:
    """Return the script in `<name>.lua`, after the library that its first line requires, and those that this requires."""
    return Script.of(_read(name))


def _read(name: str) -> str:
    text = (files(__name__) / f"{name}.lua").read_text()
    first = text.partition("\n")[0]
    return _read(first.removeprefix(_LIBRARY)) + text if first.startswith(_LIBRARY) else text
