"""Every setting with its value and where that comes from, also while others are wrong."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hookline_cli.masking import HIDDEN, mask_all_but_host, mask_credentials, mask_pair, mask_url
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.alerts.limits import Limit
from hookline_shared.errors import SettingsError
from hookline_shared.secret_files import SUFFIX, read_secret_files
from hookline_shared.settings import CONFIG_VARIABLE, SharedSettings, read_config_file, secret_variables
from hookline_shared.topics import Topic

ENVIRONMENT: Final = "environment"
FILE: Final = "file"
IN_A_FILE: Final = "secret file"
DEFAULT: Final = "default"
_SERVICES: Final[Mapping[str, type[SharedSettings]]] = {"ingress": IngressSettings, "processor": ProcessorSettings}
_EMPTY_COUNTS: Final = "INGRESS_SPOOL_PATH"
"""The one variable that says something if it is empty."""
_POST_TO: Final = "ALERT_URL"
"""Whoever knows its path may write there."""
_CONFIG_MEANING: Final = "A TOML file with any of these settings; the environment wins"


class Row(NamedTuple):
    """One setting, without what is secret in it. `value` is None if there is none; of a wrong one it is what was written.

    `source` is one of the four above, empty for a setting that is missing. `service` is empty for those of both.
    """

    variable: str
    value: Any
    source: str
    default: str
    meaning: str
    service: str = ""
    right: bool = True


class Sources:
    """What was set, and where."""

    def __init__(self, environment: Mapping[str, str], file: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self._environment = {
            name.upper(): value for name, value in environment.items() if value or name.upper() == _EMPTY_COUNTS
        }
        self._file = file
        self._secrets = secrets

    @classmethod
    def now(cls) -> "Sources":
        """Look at the environment and the files; what cannot be read has nothing in it."""
        return cls(os.environ, _or_empty(read_config_file), _or_empty(lambda: read_secret_files(secrets())))

    def find(self, variable: str) -> tuple[str, Any]:
        """Give where `variable` is set, and to what."""
        if variable in self._environment:
            return ENVIRONMENT, self._environment[variable]
        if variable in self._secrets:
            return IN_A_FILE, self._secrets[variable]
        if variable in self._file:
            return FILE, self._file[variable]
        return DEFAULT, None

    def strangers(self, known: Iterable[str]) -> list[str]:
        """Give what is set and no setting, in one line each: all keys of the file, and variables that look mistyped."""
        names = {*known, *(name + SUFFIX for name in secrets())}
        found = [f"{name} in the file of {CONFIG_VARIABLE}" for name in self._file if name not in names]
        return [
            *(f"{what} is no setting{_meant(what.partition(' ')[0], names)}." for what in found),
            *(
                f"{name} is no setting{meant}."
                for name in self._environment
                if name not in names and (meant := _meant(name, names))
            ),
        ]


def rows(sources: Sources) -> Iterator[Row]:
    """Give every setting once, those of both services first."""
    wrong = {problem.partition(" ")[0] for problem in problems()}
    source, name = sources.find(CONFIG_VARIABLE)
    yield Row(
        CONFIG_VARIABLE, name, source, "", _CONFIG_MEANING, right=not any(CONFIG_VARIABLE in problem for problem in wrong)
    )
    for service, field in _fields():
        variable = str(field.validation_alias)
        source, written = sources.find(variable)
        yield Row(
            variable,
            _value(field, source, written, right=variable not in wrong),
            "" if source == DEFAULT and field.default is PydanticUndefined else source,
            _default(field),
            field.description or "",
            service,
            variable not in wrong,
        )


def problems(services: Iterable[str] = _SERVICES) -> list[str]:
    """Give every mistake in the settings of `services`, once."""
    found: dict[str, None] = {}
    for service in services:
        try:
            _SERVICES[service].load()
        except SettingsError as error:
            found |= dict.fromkeys(error.problems)
    return list(found)


def variables() -> list[str]:
    """Give the name of every setting."""
    return [CONFIG_VARIABLE, *(str(field.validation_alias) for _, field in _fields())]


def secrets() -> list[str]:
    """Give the name of every setting that is, or holds, a secret."""
    return list(dict.fromkeys(name for settings in _SERVICES.values() for name in secret_variables(settings)))


def _or_empty(read: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return read()
    except SettingsError:
        return {}


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    """Give every field and the service that it is of, empty for those of both."""
    shared = SharedSettings.model_fields
    yield from (("", field) for field in shared.values())
    for service, settings in _SERVICES.items():
        yield from ((service, field) for name, field in settings.model_fields.items() if name not in shared)


def _value(field: FieldInfo, source: str, written: Any, *, right: bool) -> Any:
    if source == DEFAULT and field.default is PydanticUndefined:
        return None
    try:
        value = _validated(field, source, written)
    except ValidationError:
        right, value = False, written
    if value is None:
        return None
    if field.repr:
        return _plain(value) if right else mask_credentials(str(_plain(value)))
    if not right:
        return HIDDEN
    if isinstance(value, tuple):
        return [mask_pair(item) for item in value]
    return (mask_all_but_host if field.validation_alias == _POST_TO else mask_url)(str(value))


def _validated(field: FieldInfo, source: str, written: Any) -> Any:
    """Give the value of one setting, whatever the others are."""
    model: type[BaseModel] = create_model("One", one=(field.annotation, field))  # type: ignore[arg-type]
    return vars(model.model_validate({} if source == DEFAULT else {str(field.validation_alias): written}))["one"]


def _plain(value: Any) -> Any:
    """Give `value` as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=not isinstance(value, Topic | Limit))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    return "" if field.default in (None, (), {}) else str(field.default)


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.85)
    return f"; {close[0]} was meant, perhaps" if close else ""
