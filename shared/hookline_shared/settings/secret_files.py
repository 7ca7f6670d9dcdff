"""Secrets in files, as Docker and Kubernetes provide them: NAME_FILE is the path of the file with the value of NAME."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from hookline_shared.errors import SettingsError

SUFFIX: Final = "_FILE"


def names_file(variable: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `variable` has a file."""
    return bool(environment.get(variable + SUFFIX))


def read_secret_files(variables: Iterable[str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the contents of the files of `variables`, by variable and without the white space around them.

    An empty file counts as not set, like an empty variable.

    Raises:
        SettingsError: naming every file that cannot be read, and every variable that is also set itself.

    """
    found, problems = {}, []
    for variable in (one for one in variables if names_file(one, environment)):
        name = environment[variable + SUFFIX]
        if environment.get(variable):
            problems.append(
                f"{variable} and {variable}{SUFFIX} are both set, so it is unclear which one counts. Unset one of them."
            )
        try:
            found[variable] = Path(name).read_text().strip()
        except OSError as error:
            reason = f"cannot be read: {error.strerror}. Check the path, and that the user of this service may read it."
            problems.append(f"{variable}{SUFFIX}={name} {reason}")
        except ValueError:
            problems.append(f"{variable}{SUFFIX}={name} is not text. It must hold the value of {variable} and nothing else.")
    if problems:
        raise SettingsError(problems)
    return {variable: value for variable, value in found.items() if value}
