"""The settings that both services share, and the sources of all settings.

Sources are the environment, `.env`, and a TOML file (`config_file.py`); the first of them wins. A secret may also be in a file
that the environment names. Each service has one frozen settings object, validated before a socket opens. The validation alias
of a field is the variable's name; its description is shown in documentation and errors.
"""

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import msgspec
from msgspec import Meta

from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.distribution import install_command
from hookline_shared.errors import SettingsError
from hookline_shared.forwards import Forward, ForwardsSetting, check_url, with_url
from hookline_shared.observability.tracing import collector_secrets
from hookline_shared.redis.options import RedisOptions
from hookline_shared.settings.config_file import read_config_file
from hookline_shared.settings.env_file import apply_env_file
from hookline_shared.settings.fallbacks import Fallback, Found, find_fallbacks
from hookline_shared.settings.secret_files import SUFFIX, names_file, read_secret_files
from hookline_shared.topics import TopicsSetting, default_topics
from hookline_shared.validation import (
    AtLeastOne,
    Check,
    InvalidError,
    Problem,
    Read,
    SettingsTable,
    Variable,
    fields_of,
    read_variables,
)

_TRACING_NEEDS = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http")
"""In this order, since a package can be looked up only if its parent exists."""

_ADMIN_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
"""What can stand after Bearer (RFC 6750, section 2.1)."""


def _split(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("it must be text, or a list of texts")
    return tuple(part.strip() for part in parts if part.strip())


def _tracing(switch: str) -> str:
    if switch == "on" and not all(map(find_spec, _TRACING_NEEDS)):
        raise ValueError(f"it needs OpenTelemetry's SDK and exporter: {install_command('otel')}")
    return switch


NO_VARIABLES: Final[Mapping[str, str]] = {}

CommaSeparated = Annotated[tuple[str, ...], Read(_split)]
"""A setting written `a,b,c`."""


def _admin_token(token: str) -> str:
    if not _ADMIN_TOKEN.fullmatch(token):
        raise ValueError("it must have 16 or more letters, digits or any of -._~+/= (for example from openssl rand -hex 16)")
    return token


Port = Annotated[int, Meta(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose one."""


class SharedSettings(SettingsTable, frozen=True, kw_only=True):
    """The settings that both services share."""

    fallbacks: ClassVar[tuple[Fallback, ...]] = ()
    empty_counts: ClassVar[tuple[str, ...]] = ()
    """The variables for which an empty value is a value. An empty one of the others counts as not set."""

    redis: RedisOptions
    partitions: Annotated[
        int,
        Meta(ge=1, le=1024),
        Variable(
            "HOOKLINE_PARTITIONS",
            "Number of partitions, fixed at the first start. docs/upgrading.md says how to change it later",
        ),
    ] = 8
    topics: Annotated[
        TopicsSetting,
        Variable(
            "TOPICS",
            "Topics, only in the TOML file: tables [topics.<name>] with weight, concurrency and ordered, see docs/topics.md",
        ),
    ] = msgspec.field(default_factory=default_topics)
    forward: Annotated[
        ForwardsSetting,
        Variable("FORWARD", "Apps to which webhooks go on, only in the TOML file: tables [[forward]], see docs/forwarding.md"),
    ] = ()
    forward_url: Annotated[
        str | None,
        Check(check_url),
        Variable(
            "FORWARD_URL",
            "URL of the webhook in your app, such as http://app:3000/sms. All webhooks go on to this app: docs/forwarding.md",
        ),
    ] = None
    backlog_limit: Annotated[
        AtLeastOne,
        Variable(
            "INGRESS_BACKLOG_LIMIT",
            "Largest number of unsettled events of a topic, in all partitions together; those that wait for a "
            "time do not count. Above it, ingress puts new events into the spool. The alerts of the processor use"
            " it, too",
        ),
    ] = 1_000_000
    alerts: AlertSettings
    admin_token: Annotated[
        str | None,
        Check(_admin_token),
        Variable(
            "ADMIN_TOKEN",
            "Token that a request to an admin port must have (Authorization: Bearer ...), except for the verdicts of /livez, "
            "/readyz and /startupz. Without it, admin ports answer everyone who reaches them",
            secret=True,
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Variable("LOG_LEVEL", "Least severe level of the lines in the log: debug, info, warning or error"),
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"] | None,
        Variable("LOG_FORMAT", "Format of the log: json or console. By default console on a terminal, otherwise json"),
    ] = None
    tracing: Annotated[
        Literal["on", "off"],
        Check(_tracing),
        Variable(
            "TRACING",
            "Tracing: on or off. With on, spans are sent to OTEL_EXPORTER_OTLP_ENDPOINT (http://localhost:4318 by"
            " default), see docs/tracing.md",
        ),
    ] = "off"

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """Where webhooks go on."""
        return with_url(self.forward, self.forward_url)

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must not be logged."""
        optional = (secret for secret in (self.alerts.url, self.alerts.routing_key, self.admin_token) if secret)
        return (*self.redis.server.secrets, *optional, *collector_secrets())

    @classmethod
    def load(cls, variables: Mapping[str, Any] = NO_VARIABLES) -> Self:
        """Read and validate all settings. `variables` win over those of the process, to which those of `.env` are added first.

        Raises:
            SettingsError: naming all settings that are missing or wrong, in one message.

        """
        apply_env_file(secrets_of(cls))
        environment = {**os.environ, **variables}
        try:
            return read_variables(cls, cls._sources(environment))
        except InvalidError as error:
            raise SettingsError([_explain(cls, problem, environment) for problem in error.problems]) from None

    @classmethod
    def _sources(cls, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Return all values by variable: of fallbacks, the TOML file, secret files and `environment`. The last wins."""
        secrets, file = read_secret_files(secret_variables(cls), environment), read_config_file(environment)
        fallbacks = find_fallbacks(cls.fallbacks, file, environment)
        found = {one.fallback.setting: one.value for one in fallbacks if not one.obstacle}
        return {**found, **file, **secrets, **cls._effective(environment)}

    @classmethod
    def _effective(cls, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables that have an effect, by upper-case name."""
        named = {name.upper(): value for name, value in environment.items()}
        names = (variable.name for _, variable in fields_of(cls))
        return {
            name: named[name] for name in names if named.get(name, "") != "" or (name in cls.empty_counts and name in named)
        }

    @classmethod
    def ignored(cls, variables: Mapping[str, str] = NO_VARIABLES) -> list[Found]:
        """Return the fallbacks that are set and ignored. `variables` win over those of the process."""
        environment = {**os.environ, **variables}
        return [one for one in find_fallbacks(cls.fallbacks, read_config_file(environment), environment) if one.obstacle]


def secret_variables(settings: type[SettingsTable]) -> list[str]:
    """Return the names of the settings that are or contain secrets."""
    return [variable.name for _, variable in fields_of(settings) if variable.secret]


def secrets_of(settings: type[SharedSettings]) -> list[str]:
    """Return the names of all variables whose value may be in a file: the secret settings and their fallbacks."""
    names = secret_variables(settings)
    return [*names, *(one.variable for one in settings.fallbacks if one.setting in names)]


def _explain(settings: type[SharedSettings], problem: Problem, environment: Mapping[str, str]) -> str:
    name = problem.name
    meaning = next(variable.meaning for _, variable in fields_of(settings) if variable.name == name)
    if problem.missing:
        why = f", and the file of {name}{SUFFIX} is empty" if names_file(name, environment) else ""
        return f"{name} is not set{why}. {meaning}."
    found = find_fallbacks(settings.fallbacks, read_config_file(environment), environment)
    origin = next((f", taken from {one.fallback.variable}," for one in found if one.fallback.setting == name), "")
    return f"{name}{origin} is wrong: {problem.message}. {meaning}."
