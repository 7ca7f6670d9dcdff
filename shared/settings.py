"""Settings come from the environment and, if `HOOKLINE_CONFIG` names one, a TOML file; the environment wins.

Each service has one frozen settings object, validated before a socket opens. A field's validation alias is the variable's
name, its description is what people read in documentation and errors.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.errors import SettingsError

CONFIG_VARIABLE = "HOOKLINE_CONFIG"


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


_REDIS_URL_OPTIONS = {
    "db",
    "username",
    "password",
    "ssl_ca_certs",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_keyfile",
}


def _redis_url(url: str) -> str:
    parts = split_url(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("it must begin with redis://, rediss:// or unix://")
    options = parse_qs(parts.query)
    if unknown := options.keys() - _REDIS_URL_OPTIONS:
        raise ValueError(f"it has options that are not known: {', '.join(sorted(unknown))}")
    database = options.get("db", [parts.path.strip("/") if parts.scheme != "unix" else ""])[0]
    if database and not database.isdecimal():
        raise ValueError("its database is not a number")
    if not {*options.get("ssl_cert_reqs", ())} <= {"none", "optional", "required"}:
        raise ValueError("ssl_cert_reqs is not none, optional or required")
    return url


def split_url(url: str) -> SplitResult:
    """Split `url`.

    Raises:
        ValueError: if it is malformed; the message does not quote it, since it may hold a password.

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
    """What both services need to know."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    redis_url: Annotated[str, AfterValidator(_redis_url)] = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="Where Redis is: redis://[user:password@]host:port/db, rediss:// for TLS, unix:///path",
        repr=False,
    )
    partitions: int = Field(
        8,
        validation_alias="HOOKLINE_PARTITIONS",
        description="Into how many partitions conversations are divided; fixed at the first start",
        ge=1,
        le=1024,
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="LOG_LEVEL", description="The least severe level that is written"
    )
    log_format: Literal["json", "console"] | None = Field(
        None, validation_alias="LOG_FORMAT", description="json or console; by default console on a terminal, else json"
    )

    def secrets(self) -> tuple[str, ...]:
        """Give what must never be logged."""
        parts = urlsplit(self.redis_url)
        return (*filter(None, [unquote(parts.password or "")]), *parse_qs(parts.query).get("password", ()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look in the arguments, then in the environment, then in the TOML file."""
        file = InitSettingsSource(settings_cls, read_config_file())
        return init_settings, env_settings, file

    @classmethod
    def load(cls) -> Self:
        """Read and validate every setting.

        Raises:
            SettingsError: naming all settings that are missing or wrong, in one message.

        """
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError([_explain(cls, detail) for detail in error.errors()]) from None


def read_config_file() -> dict[str, Any]:
    """Read the TOML file that `HOOKLINE_CONFIG` names; gives its top level by upper-case names, empty if none is named.

    Raises:
        SettingsError: if it cannot be read.

    """
    name = os.environ.get(CONFIG_VARIABLE)
    if not name:
        return {}
    try:
        content = tomllib.loads(Path(name).read_text())
    except OSError as error:
        raise SettingsError([f"{CONFIG_VARIABLE}={name} cannot be read: {error.strerror}. Check the path."]) from None
    except ValueError as error:
        raise SettingsError([f"{CONFIG_VARIABLE}={name} is not valid TOML: {error}."]) from None
    return {key.upper(): value for key, value in content.items()}


def _explain(settings: type[BaseSettings], detail: ErrorDetails) -> str:
    variable = str(detail["loc"][0])
    meaning = next((field.description for field in settings.model_fields.values() if field.validation_alias == variable), "")
    if detail["type"] == "missing":
        return f"{variable} is not set. {meaning}."
    problem = detail["msg"].removeprefix("Value error, ")
    return f"{variable} is wrong: {problem}. {meaning}."
