"""Every secret that this process could quote, also those of the other service and of the user's handlers.

Each service needs only some of the secrets, but handlers often have Twilio's token, and an error that quotes it would be in
logs, dead letters and the ledger. So all variables that hold a secret count, in the environment, in files that they name, and
in the TOML file: those of Hookline, and any others whose name says so.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from hookline_shared.errors import SettingsError
from hookline_shared.settings.config_file import read_config_file
from hookline_shared.settings.secret_files import SUFFIX

_TOKENS: Final = "TWILIO_TOKENS"
SECRET_VARIABLES: Final = (
    *(
        "TWILIO_AUTH_TOKEN",
        "TWILIO_SHARED_KEYS",
        "REDIS_URL",
        "HOOKLINE_LEDGER_URL",
        "DATABASE_URL",
        "ALERT_URL",
        "ALERT_ROUTING_KEY",
        "ADMIN_TOKEN",
        "TWILIO_API_SECRET",
    ),
    _TOKENS,
)
"""The variables of both services. The last one stands for what is in the file of TWILIO_TOKENS_PATH."""

_TOKENS_PATH: Final = "TWILIO_TOKENS_PATH"
_NAMED_SECRET: Final = re.compile(
    r"(?!.*PUBLIC)"
    r"(?:.*(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY)|.+_(?:KEY|PWD)|(?:.*_)?(?:PASS|DSN))"
    r"S?(?:_(?!FILE$|PATH$|PROVIDER$)[A-Z0-9]+)?"
)
_LISTS: Final = ("TWILIO_AUTH_TOKEN", "TWILIO_SHARED_KEYS", _TOKENS)
"""Of these, the items are the secrets, not the whole value."""
_WHOLE: Final = ("ALERT_URL", "ALERT_ROUTING_KEY", "ADMIN_TOKEN", "TWILIO_API_SECRET")
_NO_SECRETS: Final = frozenset(
    {"changeme", "disabled", "enabled", "hookline", "password", "postgres", "redis", "secret", "twilio"}
)
"""Values that are no secret, though they may be in place of one. Hiding them would hide what an error is about."""
_LEAST: Final = 5
_LEAST_OF_OTHERS: Final = 8
"""Characters of a secret, of ours and of any other variable. A shorter value would hide parts of ordinary words."""
_LARGEST_FILE: Final = 1 << 24


def known_secrets(environment: Mapping[str, str] = os.environ) -> set[str]:
    """Return all secrets in `environment`, in the files that it names, and in the TOML file, as far as these can be read."""
    found: set[str] = set()
    for name, value in (*_in_environment(environment), *_in_config_file(environment)):
        least = _LEAST if name in SECRET_VARIABLES else _LEAST_OF_OTHERS
        found.update(secret for secret in secrets_in(name, value) if len(secret) >= least)
    return found - _NO_SECRETS


def secrets_in(name: str, value: str) -> Iterator[str]:
    """Yield the secrets in the `value` of a variable: in URLs the passwords, in `id=secret` items what follows the names.

    Other values are secrets as a whole, and in each of their lines, but not in their words: those of a pass phrase, or the
    hosts of a URL, are in many messages.
    """
    if name in _LISTS:
        yield from _in_list(name, value)
        return
    if name not in SECRET_VARIABLES or name in _WHOLE:
        yield value.strip()
        yield from (line.strip() for line in value.splitlines())
    for part in [value, *value.split()]:
        if "://" in part:
            yield from _in_url(part.strip())


def _in_list(name: str, value: str) -> Iterator[str]:
    for part in re.split(r"[,\s]+", value):
        if "=" in part:
            yield from _after_names(part)
        elif name != _TOKENS:  # in a file of tokens, it is a comment
            yield part


def _after_names(part: str) -> Iterator[str]:
    """Yield what follows each equals sign: a secret may have some, too."""
    while part:
        part = part.partition("=")[2]
        yield part


def _in_url(url: str) -> Iterator[str]:
    with suppress(ValueError):
        parts = urlsplit(url)
        options = (value for option, value in parse_qsl(parts.query) if "password" in option.lower())
        for password in (parts.password or "", *options):
            yield from (password, unquote(password))


def _in_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        variable = name.upper()
        if _is_secret(variable):
            yield variable, value
        elif variable == _TOKENS_PATH or (variable.endswith(SUFFIX) and _is_secret(variable.removesuffix(SUFFIX))):
            yield variable.removesuffix(SUFFIX).removesuffix("_PATH"), _content(value)


def _in_config_file(environment: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    with suppress(SettingsError):
        file: Mapping[str, Any] = read_config_file(environment)
        path = file.get(_TOKENS_PATH)
        texts = [(name, _as_text(value)) for name, value in file.items() if _is_secret(name)]
        return [*texts, *([(_TOKENS, _content(path))] if isinstance(path, str) else [])]
    return []


def _is_secret(variable: str) -> bool:
    return variable in SECRET_VARIABLES or _NAMED_SECRET.fullmatch(variable) is not None


def _as_text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _content(path: str) -> str:
    """Return the text in the file at `path`, empty if it is none that can be read."""
    with suppress(OSError, ValueError):
        if Path(path).is_file() and Path(path).stat().st_size <= _LARGEST_FILE:  # a pipe would be empty for who needs it
            return Path(path).read_text()
    return ""
