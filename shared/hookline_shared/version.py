"""Which Hookline this is: what pyproject.toml said when it was installed."""

from importlib.metadata import version


def own_version() -> str:
    """Return the version of the installed distribution."""
    return version("hookline")
