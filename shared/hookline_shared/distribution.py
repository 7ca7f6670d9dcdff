"""The metadata of the installed distribution: its version and requirements, for messages that say what to install.

The messages name the required packages, which is right for an installation from an index, a wheel or a clone.
"""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

_DISTRIBUTION: Final = "hookline"
_EXTRA: Final = re.compile(r"extra == ['\"](.+?)['\"]")
_NAME: Final = re.compile(r"[\w.-]+")


def own_version() -> str:
    """Return the version of the installed distribution."""
    return version(_DISTRIBUTION)


def version_line() -> str:
    """Return what `hookline --version` prints."""
    return f"{_DISTRIBUTION} {own_version()}"


def requirement(name: str) -> str:
    """Return the requirement of the distribution `name`, for example `aiohttp<3.15,>=3.14.3`; `name` if none is declared."""
    return next((one for one in _declared(None) if _NAME.match(one)[0] == name), name)  # type: ignore[index] # it begins so


def install_command(extra: str) -> str:
    """Return the command that installs the packages of the extra `extra`."""
    packages = " ".join(f"'{one}'" for one in _declared(extra)) or f"'{_DISTRIBUTION}[{extra}]'"
    return f"pip install {packages} (the extra {extra} of {_DISTRIBUTION})"


def _declared(extra: str | None) -> list[str]:
    """Return the requirements of `extra`, or those of every installation; none if only the sources are on the path."""
    try:
        lines = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    parts = [line.partition(";") for line in lines]
    return [text.strip() for text, _, marker in parts if _extra(marker) == extra]


def _extra(marker: str) -> str | None:
    found = _EXTRA.search(marker)
    return found[1] if found else None
