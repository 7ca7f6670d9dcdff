"""The settings that both services share, and the sources of all settings.

Sources are the environment, `.env`, and a TOML file (`config_file.py`); the first of them wins. A secret may also be in a file
that the environment names. Each service has one frozen settings object, validated before a socket opens. The validation alias
of a field is the variable's name; its description is shown in documentation and errors.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.distribution import install_command
from hookline_shared.errors import SettingsError
from hookline_shared.observability.tracing import collector_secrets
from hookline_shared.redis.options import RedisOptions
from hookline_shared.settings.config_file import read_config_file
from hookline_shared.settings.env_file import apply_env_file
from hookline_shared.settings.fallbacks import Fallback, Found, find_fallbacks
from hookline_shared.settings.secret_files import SUFFIX, names_file, read_secret_files
from hookline_shared.topics import TopicsSetting
from hookline_shared.validation import fields_of, groups_of, message_of

_TRACING_NEEDS = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http")
"""In this order, since a package can be looked up only if its parent exists."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _tracing(switch: str) -> str:
    if switch == "on" and not all(map(find_spec, _TRACING_NEEDS)):
        raise ValueError(f"it needs OpenTelemetry's SDK and exporter: {install_command('otel')}")
    return switch


NO_VARIABLES: Final[Mapping[str, str]] = {}

CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""A setting written `a,b,c`."""

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose one."""


class _Values(PydanticBaseSettingsSource):
    """A source that has `values`, by the names of variables. pydantic's own do not know the variables of groups."""

    def __init__(self, settings: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._values = dict(values)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing: the values are taken as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


class SharedSettings(BaseSettings):
    """The settings that both services share."""

    fallbacks: ClassVar[tuple[Fallback, ...]] = ()
    empty_counts: ClassVar[tuple[str, ...]] = ()
    """The variables for which an empty value is a value. An empty one of the others counts as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=True, hide_input_in_errors=True)

    redis: RedisOptions
    partitions: int = Field(
        8,
        validation_alias="HOOKLINE_PARTITIONS",
        description="Number of partitions, fixed at the first start. docs/upgrading.md says how to change it later",
        ge=1,
        le=1024,
    )
    topics: TopicsSetting = Field(
        {},
        validate_default=True,
        validation_alias="TOPICS",
        description="Topics, only in the TOML file: tables [topics.<name>] with weight, concurrency and ordered, see "
        "docs/topics.md",
    )
    backlog_limit: int = Field(
        1_000_000,
        validation_alias="INGRESS_BACKLOG_LIMIT",
        description="Largest number of unsettled events of a topic, in all partitions together; those that wait for a "
        "time do not count. Above it, ingress puts new events into the spool. The alerts of the processor use it, too",
        ge=1,
    )
    alerts: AlertSettings
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        validation_alias="LOG_LEVEL",
        description="Least severe level of the lines in the log: debug, info, warning or error",
    )
    log_format: Literal["json", "console"] | None = Field(
        None,
        validation_alias="LOG_FORMAT",
        description="Format of the log: json or console. By default console on a terminal, otherwise json",
    )
    tracing: Annotated[Literal["on", "off"], AfterValidator(_tracing)] = Field(
        "off",
        validation_alias="TRACING",
        description="Tracing: on or off. With on, spans are sent to OTEL_EXPORTER_OTLP_ENDPOINT (http://localhost:4318 by "
        "default), see docs/tracing.md",
    )

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must not be logged."""
        alert_url = (self.alerts.url,) if self.alerts.url else ()
        return (*self.redis.server.secrets, *alert_url, *collector_secrets())

    @model_validator(mode="before")
    @classmethod
    def _fill_groups(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Pass all values to each group of settings, which takes those of its own variables."""
        return dict.fromkeys(groups_of(cls), values) | values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order: environment, secret files, TOML file, fallbacks.

        Arguments are variables, too. They win over those of the process, and may name the TOML file.
        """
        environment = {**os.environ, **init_settings()}
        secrets, file = read_secret_files(secret_variables(cls), environment), read_config_file(environment)
        fallbacks = find_fallbacks(cls.fallbacks, file, environment)
        found = {one.fallback.setting: one.value for one in fallbacks if not one.obstacle}
        return tuple(_Values(settings_cls, one) for one in (cls._effective(environment), secrets, file, found))

    @classmethod
    def _effective(cls, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables that have an effect, by upper-case name."""
        named = {name.upper(): value for name, value in environment.items()}
        variables = (str(field.validation_alias) for field in fields_of(cls))
        return {
            name: named[name] for name in variables if named.get(name, "") != "" or (name in cls.empty_counts and name in named)
        }

    @classmethod
    def load(cls, variables: Mapping[str, str] = NO_VARIABLES) -> Self:
        """Read and validate all settings. `variables` win over those of the process, to which those of `.env` are added first.

        Raises:
            SettingsError: naming all settings that are missing or wrong, in one message.

        """
        apply_env_file(secrets_of(cls))
        try:
            return cls.model_validate(dict(variables))
        except ValidationError as error:
            environment = {**os.environ, **variables}
            raise SettingsError([_explain(cls, detail, environment) for detail in error.errors()]) from None

    @classmethod
    def ignored(cls, variables: Mapping[str, str] = NO_VARIABLES) -> list[Found]:
        """Return the fallbacks that are set and ignored. `variables` win over those of the process."""
        environment = {**os.environ, **variables}
        return [one for one in find_fallbacks(cls.fallbacks, read_config_file(environment), environment) if one.obstacle]


def secret_variables(settings: type[BaseSettings]) -> list[str]:
    """Return the names of the settings that are or contain secrets."""
    return [str(field.validation_alias) for field in fields_of(settings) if not field.repr]


def secrets_of(settings: type[SharedSettings]) -> list[str]:
    """Return the names of all variables whose value may be in a file: the secret settings and their fallbacks."""
    names = secret_variables(settings)
    return [*names, *(one.variable for one in settings.fallbacks if one.setting in names)]


def _explain(settings: type[SharedSettings], detail: ErrorDetails, environment: Mapping[str, str]) -> str:
    variable = str(next(name for name in detail["loc"] if name not in groups_of(settings)))
    meaning = next((field.description for field in fields_of(settings) if field.validation_alias == variable), "")
    if detail["type"] == "missing":
        why = f", and the file of {variable}{SUFFIX} is empty" if names_file(variable, environment) else ""
        return f"{variable} is not set{why}. {meaning}."
    found = find_fallbacks(settings.fallbacks, read_config_file(environment), environment)
    origin = next((f", taken from {one.fallback.variable}," for one in found if one.fallback.setting == variable), "")
    return f"{variable}{origin} is wrong: {message_of(detail)}. {meaning}."
