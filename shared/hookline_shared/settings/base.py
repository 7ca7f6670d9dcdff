"""The settings that both services share, and the sources of all settings.

Sources are the environment, `.env`, and a TOML file (`config_file.py`); the first of them wins. A secret may also be in a file
that the environment names. Each service has one frozen settings object, validated before a socket opens. The validation alias
of a field is the variable's name; its description is shown in documentation and errors.
"""

from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hookline_shared.alerts.settings import AlertsSetting, RunbookUrl
from hookline_shared.distribution import install_command
from hookline_shared.errors import SettingsError
from hookline_shared.keys import DEFAULT_PREFIX, check_prefix
from hookline_shared.observability.tracing import collector_secrets
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis.url import parse_redis_url
from hookline_shared.settings.config_file import read_config_file
from hookline_shared.settings.env_file import apply_env_file
from hookline_shared.settings.fallbacks import Fallback, Found, find_fallbacks
from hookline_shared.settings.secret_files import SUFFIX, names_file, read_secret_files
from hookline_shared.topics import TopicsSetting
from hookline_shared.validation import message_of

_TRACING_NEEDS = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http")
"""In this order, since a package can be looked up only if its parent exists."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _redis_url(url: str) -> str:
    parse_redis_url(url)
    return url


def _alert_url(url: str) -> str:
    """Return `url` unchanged. Errors do not quote it, since it allows posting to a channel."""
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is not of the form https://host/path")
    return url


def _tracing(switch: str) -> str:
    if switch == "on" and not all(map(find_spec, _TRACING_NEEDS)):
        raise ValueError(f"it needs OpenTelemetry's SDK and exporter: {install_command('otel')}")
    return switch


def split_url(url: str) -> SplitResult:
    """Split `url`.

    Raises:
        ValueError: if it is malformed. The message does not quote it, since it may contain a password.

    """
    try:
        parts = urlsplit(url)
        port_is_odd = parts.port == 0 or parts.netloc.endswith(":")
    except ValueError:
        raise ValueError("it is not a URL, or its port is not a number up to 65535") from None
    if port_is_odd:
        raise ValueError("its port is missing or 0")
    return parts


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A setting written `a,b,c`."""

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose one."""


class SharedSettings(BaseSettings):
    """The settings that both services share."""

    fallbacks: ClassVar[tuple[Fallback, ...]] = ()

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    redis_url: Annotated[str, AfterValidator(_redis_url)] = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="URL of Redis: redis://[user:password@]host:port/db (rediss:// for TLS), unix:///path, "
        "redis+sentinel://host:port,host:port/service/db or redis+cluster://host:port,host:port",
        repr=False,
    )
    redis_pool_size: int = Field(
        RedisOptions.pool_size,
        validation_alias="REDIS_POOL_SIZE",
        description="Size of the pool of connections for commands, for each Redis master",
        ge=1,
    )
    redis_acquire_timeout_s: float = Field(
        RedisOptions.acquire_timeout_s,
        validation_alias="REDIS_ACQUIRE_TIMEOUT_S",
        description="Seconds that a call waits for a free connection",
        gt=0,
    )
    redis_connect_timeout_s: float = Field(
        RedisOptions.connect_timeout_s,
        validation_alias="REDIS_CONNECT_TIMEOUT_S",
        description="Time limit in seconds for connecting to Redis",
        gt=0,
    )
    redis_command_timeout_s: float = Field(
        RedisOptions.command_timeout_s,
        validation_alias="REDIS_COMMAND_TIMEOUT_S",
        description="Time limit in seconds for a command. Writes of webhooks have INGRESS_WRITE_BUDGET_MS instead",
        gt=0,
    )
    redis_max_age_s: float = Field(
        RedisOptions.max_age_s,
        validation_alias="REDIS_MAX_AGE_S",
        description="Age in seconds at which a connection is replaced, when it is idle",
        gt=0,
    )
    redis_idle_check_s: float = Field(
        RedisOptions.idle_check_s,
        validation_alias="REDIS_IDLE_CHECK_S",
        description="Idle time in seconds after which a connection is checked with a PING",
        gt=0,
    )
    redis_breaker_failures: int = Field(
        RedisOptions.breaker_failures,
        validation_alias="REDIS_BREAKER_FAILURES",
        description="Consecutive failures that open the circuit breaker of Redis; a successful probe closes it",
        ge=1,
    )
    prefix: Annotated[str, AfterValidator(check_prefix)] = Field(
        DEFAULT_PREFIX,
        validation_alias="HOOKLINE_PREFIX",
        description="Prefix of all Redis keys. Several installations can share one Redis with different prefixes, see "
        "docs/redis.md",
    )
    partitions: int = Field(
        8,
        validation_alias="HOOKLINE_PARTITIONS",
        description="Number of partitions. It cannot be changed after the first start, see docs/upgrading.md",
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
        description="Largest number of unsettled events of a topic, in all partitions together. Above it, ingress puts new "
        "events into the spool. The alerts of the processor use it, too",
        ge=1,
    )
    alerts: AlertsSetting = Field(
        {},
        validate_default=True,
        validation_alias="ALERTS",
        description="Alerts, only in the TOML file: tables [alerts.<name>] with threshold, clear, for_s, window_s, level and "
        "enabled, see docs/alerts.md",
    )
    alert_url: Annotated[str, AfterValidator(_alert_url)] | None = Field(
        None,
        validation_alias="ALERT_URL",
        description="URL to which alerts are posted in Slack's format (https://hooks.slack.com/services/...). Without it, "
        "alerts are only logged and shown by hookline status",
        repr=False,
    )
    runbook_url: RunbookUrl | None = Field(
        None,
        validation_alias="RUNBOOK_URL",
        description="URL of your copy of docs/runbook.md, for example https://wiki.example.com/hookline/runbook. Alerts link "
        "to its sections, such as #reply-slow. Without it, alerts name the file and the section",
    )
    alert_interval_s: float = Field(
        1,
        validation_alias="ALERT_INTERVAL_S",
        description="Seconds between two evaluations of the alerts. The backlog is measured only at every fifth",
        ge=0.05,
        le=60,
    )
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
        alert_url = (self.alert_url,) if self.alert_url else ()
        return (*parse_redis_url(self.redis_url).secrets, *alert_url, *collector_secrets())

    def redis_options(self, blocking_pool_size: int = RedisOptions.blocking_pool_size) -> RedisOptions:
        """Return the options of the connections to Redis."""
        return RedisOptions(
            url=parse_redis_url(self.redis_url),
            prefix=self.prefix,
            pool_size=self.redis_pool_size,
            blocking_pool_size=blocking_pool_size,
            acquire_timeout_s=self.redis_acquire_timeout_s,
            connect_timeout_s=self.redis_connect_timeout_s,
            command_timeout_s=self.redis_command_timeout_s,
            max_age_s=self.redis_max_age_s,
            idle_check_s=self.redis_idle_check_s,
            breaker_failures=self.redis_breaker_failures,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order: arguments, environment, secret files, TOML file, fallbacks."""
        secrets, file = dict(read_secret_files(secret_variables(cls))), read_config_file()
        found = {one.fallback.setting: one.value for one in find_fallbacks(cls.fallbacks, file) if not one.obstacle}
        return init_settings, env_settings, *(InitSettingsSource(settings_cls, one) for one in (secrets, file, found))

    @classmethod
    def load(cls) -> Self:
        """Read and validate all settings. The variables of `.env` are added to the environment first.

        Raises:
            SettingsError: naming all settings that are missing or wrong, in one message.

        """
        apply_env_file(secrets_of(cls))
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError([_explain(cls, detail) for detail in error.errors()]) from None

    @classmethod
    def ignored(cls) -> list[Found]:
        """Return the fallbacks that are set and ignored."""
        return [one for one in find_fallbacks(cls.fallbacks, read_config_file()) if one.obstacle]


def secret_variables(settings: type[BaseSettings]) -> list[str]:
    """Return the names of the settings that are or contain secrets."""
    return [str(field.validation_alias) for field in settings.model_fields.values() if not field.repr]


def secrets_of(settings: type[SharedSettings]) -> list[str]:
    """Return the names of all variables whose value may be in a file: the secret settings and their fallbacks."""
    names = secret_variables(settings)
    return [*names, *(one.variable for one in settings.fallbacks if one.setting in names)]


def _explain(settings: type[SharedSettings], detail: ErrorDetails) -> str:
    variable = str(detail["loc"][0])
    meaning = next((field.description for field in settings.model_fields.values() if field.validation_alias == variable), "")
    if detail["type"] == "missing":
        why = f", and the file of {variable}{SUFFIX} is empty" if names_file(variable) else ""
        return f"{variable} is not set{why}. {meaning}."
    found = find_fallbacks(settings.fallbacks, read_config_file())
    origin = next((f", taken from {one.fallback.variable}," for one in found if one.fallback.setting == variable), "")
    return f"{variable}{origin} is wrong: {message_of(detail)}. {meaning}."
