"""The Lua scripts that change what is in Redis, each in one atomic step. Each file opens with its contract."""

from importlib.resources import files

from hookline_shared.redis.manager import Script


def load_script(name: str) -> Script:
    """Return the script in `<name>.lua`."""
    return Script.of((files(__name__) / f"{name}.lua").read_text())
