"""What the installed distribution says of itself: its version, and what it needs, for messages that say what to install.

Those name the packages themselves: that is right wherever Hookline was installed from, an index, a wheel or a clone.
"""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

_DISTRIBUTION: Final = "hookline"
_EXTRA: Final = re.compile(r"extra == ['\"](.+?)['\"]")
_NAME: Final = re.compile(r"[\w.-]+")


def own_version() -> str:
    """Return the version, which pyproject.toml had at the installation."""
    return version(_DISTRIBUTION)


def requirement(name: str) -> str:
    """Return what is needed of the distribution `name`, for example `aiohttp<3.15,>=3.14.1`; `name` if nothing is declared."""
    return next((one for one in _declared(None) if _NAME.match(one)[0] == name), name)  # type: ignore[index] # it begins so


def install_command(extra: str) -> str:
    """Return the command that installs what the extra `extra` stands for."""
    packages = " ".join(f"'{one}'" for one in _declared(extra)) or f"'{_DISTRIBUTION}[{extra}]'"
    return f"pip install {packages} (the extra {extra} of {_DISTRIBUTION})"


def _declared(extra: str | None) -> list[str]:
    """Return the requirements of `extra`, or of all installations; none if only the sources are on the path."""
    try:
        lines = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    parts = [line.partition(";") for line in lines]
    return [text.strip() for text, _, marker in parts if _extra(marker) == extra]


def _extra(marker: str) -> str | None:
    found = _EXTRA.search(marker)
    return found[1] if found else None
