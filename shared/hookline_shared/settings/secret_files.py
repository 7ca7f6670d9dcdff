"""Secrets in files, as Docker and Kubernetes hand them over: NAME_FILE names the file in which NAME is."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hookline_shared.errors import SettingsError

SUFFIX: Final = "_FILE"


def names_file(variable: str) -> bool:
    """Whether a file is named for `variable`."""
    return bool(os.environ.get(variable + SUFFIX))


def read_secret_files(variables: Iterable[str]) -> dict[str, str]:
    """Read the files that are named for any of `variables`; return the content of each without the white space around it.

    A file that is empty is like a variable that is: it says nothing.

    Raises:
        SettingsError: naming every file that cannot be read, and every variable that is set itself as well.

    """
    found, problems = {}, []
    for variable in filter(names_file, variables):
        name = os.environ[variable + SUFFIX]
        if os.environ.get(variable):
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
