"""The Lua scripts, each one atomic step in Redis. Each file begins with its contract."""

from importlib.resources import files

from hookline_shared.redis.manager import Script


def load_script(name: str) -> Script:
    """Return the script in `<name>.lua`."""
    return Script.of((files(__name__) / f"{name}.lua").read_text())
