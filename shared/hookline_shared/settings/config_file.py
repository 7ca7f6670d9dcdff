"""The TOML file of settings: the one in `HOOKLINE_CONFIG`, else `hookline.toml` in the working folder if it exists."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hookline_shared.errors import SettingsError

CONFIG_VARIABLE: Final = "HOOKLINE_CONFIG"
DEFAULT_FILE: Final = "hookline.toml"


def config_file(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the path of the file; None if there is none. An empty `HOOKLINE_CONFIG` means that none is read."""
    named = environment.get(CONFIG_VARIABLE)
    if named is None and os.path.isfile(DEFAULT_FILE):  # noqa: PTH113 - Path.is_file() fails in a folder that is out of bounds
        return DEFAULT_FILE
    return named or None


def read_config_file(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the top level of the file by upper-case names, empty if there is no file.

    Raises:
        SettingsError: if it cannot be read.

    """
    name = config_file(environment)
    if name is None:
        return {}
    try:
        content = tomllib.loads(Path(name).read_text())
    except OSError as error:
        raise SettingsError([f"{CONFIG_VARIABLE}={name} cannot be read: {error.strerror}. Check the path."]) from None
    except ValueError as error:
        raise SettingsError([f"{CONFIG_VARIABLE}={name} is not valid TOML: {error}."]) from None
    return {key.upper(): value for key, value in content.items()}
