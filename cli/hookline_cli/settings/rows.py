"""Every setting with its value and source, even if other settings are invalid."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from msgspec import NODEFAULT, Struct
from msgspec.structs import asdict

from hookline_cli.settings.console import ConsoleSettings
from hookline_cli.settings.masking import HIDDEN, mask_all_but_host, mask_credentials, mask_pair, mask_url
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.errors import SettingsError
from hookline_shared.settings.base import NO_VARIABLES, SharedSettings, secrets_of
from hookline_shared.settings.config_file import CONFIG_VARIABLE, DEFAULT_FILE, config_file, read_config_file
from hookline_shared.settings.env_file import ENV_FILE, own_environment
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.settings.secret_files import SUFFIX, read_secret_files
from hookline_shared.topics import Topic
from hookline_shared.validation import Field, Variable, fields_of

ENVIRONMENT: Final = "environment"
UP: Final = "hookline up"
ENV: Final = str(ENV_FILE)
FILE: Final = "file"
FOLDER: Final = "working folder"
IN_A_FILE: Final = "secret file"
DEFAULT: Final = "default"
_SERVICES: Final[Mapping[str, type[SharedSettings]]] = {
    "ingress": IngressSettings,
    "processor": ProcessorSettings,
    "console": ConsoleSettings,
}
EMPTY_COUNTS: Final = tuple(
    name
    for settings in _SERVICES.values()
    for name in (*settings.empty_counts, *(one.setting for one in settings.fallbacks if one.empty_refuses))
)
"""The variables for which an empty value has a meaning."""
_POST_TO: Final = "ALERT_URL"
_OF_COMPOSE: Final = frozenset({"PROCESSOR_MEMORY"})
"""Variables of compose.yaml that are similar to a setting, and no typing errors."""
"""Its path is a secret: it permits posting."""
_CONFIG_MEANING: Final = (
    "TOML file with any of these settings, by default hookline.toml in the working folder. The environment and .env take "
    "precedence"
)


class Row(NamedTuple):
    """One setting, without secrets. `value` is None if there is none, and the text as written if it is invalid.

    `source` is one of the above or the name of a fallback, empty for a setting that is missing. `service` is empty if both
    read it.
    """

    variable: str
    value: Any
    source: str
    default: str
    meaning: str
    service: str = ""
    right: bool = True


class Sources:
    """The values that are set, by source."""

    def __init__(self, found: Mapping[str, Mapping[str, Any]], adopted: Mapping[str, str] = NO_VARIABLES) -> None:
        """Take the values that each source sets; the first source wins. The names of the sources are those above."""
        self._found = found
        self.adopted = adopted

    @classmethod
    def none(cls) -> "Sources":
        """Return the sources of an installation in which nothing is set."""
        return cls({})

    @classmethod
    def now(cls, adopted: Mapping[str, str] = NO_VARIABLES) -> "Sources":
        """Read the environment, to which `adopted` from a running `hookline up` are added, and the files that can be read."""
        own, environment = own_environment(), {**os.environ, **adopted}
        return cls(
            {
                ENVIRONMENT: _effective({name: value for name, value in own.items() if name not in adopted}),
                UP: _effective(adopted),
                ENV: _effective({name: value for name, value in os.environ.items() if name not in own and name not in adopted}),
                IN_A_FILE: _or_empty(lambda: read_secret_files(secrets(), environment)),
                FILE: _or_empty(lambda: read_config_file(environment)),
                FOLDER: {CONFIG_VARIABLE: DEFAULT_FILE} if config_file(environment) == DEFAULT_FILE else {},
            },
            adopted,
        )

    def find(self, variable: str) -> tuple[str, Any]:
        """Return where `variable` is set, and to what."""
        return next(((source, own[variable]) for source, own in self._found.items() if variable in own), (DEFAULT, None))

    def unknown_names(self, known: Iterable[str]) -> list[str]:
        """Return a line for each name that is set but is not a setting: keys of the file, and variables that look mistyped."""
        names = {*known, *(name + SUFFIX for name in secrets())}
        in_file = [name for name in self._found.get(FILE, {}) if name not in names]
        likely_typos = [
            (name, f" in {ENV}" if source == ENV else "", suggestion)
            for source in (ENVIRONMENT, ENV)
            for name in self._found.get(source, {})
            if name not in names | _OF_COMPOSE and (suggestion := _suggestion(name, names))
        ]
        return [
            *(f"{name} in the file of {CONFIG_VARIABLE} is not a setting{_suggestion(name, names)}." for name in in_file),
            *(f"{name}{where} is not a setting{suggestion}." for name, where, suggestion in likely_typos),
        ]


def rows(sources: Sources) -> Iterator[Row]:
    """Yield every setting once, those of both services first."""
    wrong = {problem.partition(" ")[0] for problem in problems(adopted=sources.adopted)}
    source, name = sources.find(CONFIG_VARIABLE)
    yield Row(
        CONFIG_VARIABLE, name, source, "", _CONFIG_MEANING, right=not any(CONFIG_VARIABLE in problem for problem in wrong)
    )
    for service, field, variable in _fields():
        fallback = _fallback(variable.name)
        source, written = _found(sources, variable.name, fallback)
        yield Row(
            variable.name,
            _value(field, source, written, right=variable.name not in wrong),
            "" if source == DEFAULT and field.default is NODEFAULT else source,
            _default(field),
            variable.meaning,
            service,
            variable.name not in wrong,
        )
        if fallback is not None and fallback.meaning:  # else it is a setting of the other service, with a row of its own
            yield _fallback_row(sources, fallback, field, service)


def _found(sources: Sources, variable: str, fallback: Fallback | None) -> tuple[str, Any]:
    """Return where `variable` gets its value from, and that; if it is not set and `fallback` is, that is the source."""
    source, written = sources.find(variable)
    if source == DEFAULT and fallback is not None:
        instead = sources.find(fallback.variable)[1]
        if instead and (used := fallback.value(instead)) and not fallback.obstacle(used):
            return fallback.variable, used
    return source, written


def _fallback_row(sources: Sources, fallback: Fallback, field: Field, service: str) -> Row:
    source, written = sources.find(fallback.variable)
    value = None if source == DEFAULT else _value(field, source, written, right=not fallback.obstacle(str(written)))
    return Row(fallback.variable, value, source, "", fallback.meaning, service)


def problems(services: Iterable[str] = _SERVICES, adopted: Mapping[str, str] = NO_VARIABLES) -> list[str]:
    """Return every problem in the settings of `services`, once. `adopted` are added to the environment."""
    found: dict[str, None] = {}
    for service in services:
        try:
            _SERVICES[service].load(adopted)
        except SettingsError as error:
            found |= dict.fromkeys(error.problems)
    return list(found)


def variables() -> list[str]:
    """Return the name of every setting."""
    names = (variable.name for _, _, variable in _fields())
    fallbacks = (one.variable for settings in _SERVICES.values() for one in settings.fallbacks)
    return list(dict.fromkeys([CONFIG_VARIABLE, *names, *fallbacks]))


def secrets() -> list[str]:
    """Return the name of every variable that is, or holds, a secret."""
    return list(dict.fromkeys(name for settings in _SERVICES.values() for name in secrets_of(settings)))


def ignored(adopted: Mapping[str, str] = NO_VARIABLES) -> list[str]:
    """Return a line for each fallback that is set and ignored, with the reason. `adopted` are added to the environment."""
    with suppress(SettingsError):  # which `problems` has
        return [str(one) for settings in _SERVICES.values() for one in settings.ignored(adopted)]
    return []


def _fallback(variable: str) -> Fallback | None:
    return next((one for settings in _SERVICES.values() for one in settings.fallbacks if one.setting == variable), None)


def _effective(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those that have an effect, by upper-case name."""
    return {name.upper(): value for name, value in variables.items() if value or name.upper() in EMPTY_COUNTS}


def _or_empty(read: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return read()
    except SettingsError:
        return {}


def _fields() -> Iterator[tuple[str, Field, Variable]]:
    """Yield every field and its variable, after its service, which is empty if both read it."""
    found = [("", field, variable) for field, variable in fields_of(SharedSettings)]
    for service, settings in _SERVICES.items():
        known = {variable.name for _, _, variable in found}
        found += [(service, field, variable) for field, variable in fields_of(settings) if variable.name not in known]
    return iter(found)


def _value(field: Field, source: str, written: Any, *, right: bool) -> Any:
    if written == "" or (source == DEFAULT and field.default is NODEFAULT):
        return None
    try:
        value = field.default if source == DEFAULT else field.read(written)
    except ValueError:
        right, value = False, written
    if value is None:
        return None
    if field.variable is None or not field.variable.secret:
        return _plain(value) if right else mask_credentials(str(_plain(value)))
    if not right:
        return HIDDEN
    if isinstance(value, tuple):
        return [mask_pair(item) for item in value]
    return (mask_all_but_host if field.variable.name == _POST_TO else mask_url)(str(value))


def _plain(value: Any) -> Any:
    """Return `value` in JSON types."""
    if isinstance(value, Topic | Threshold):
        return _plain(asdict(value))
    if isinstance(value, Struct):
        return {name: _plain(item) for name, item in asdict(value).items() if item is not None}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _default(field: Field) -> str:
    if field.default is NODEFAULT:
        return "required"
    return "" if field.default in (None, ()) or isinstance(field.default, dict) else str(field.default)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.85)
    return f" (did you mean {close[0]}?)" if close else ""
