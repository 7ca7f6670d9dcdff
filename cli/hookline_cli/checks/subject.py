"""What is examined: the settings of both services as they are here, or as `hookline up` made them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

from hookline_cli.setting_rows import secrets
from hookline_cli.workspace import Workspace
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError
from hookline_shared.secret_files import names_file
from hookline_shared.settings import SharedSettings, read_config_file

Settings = TypeVar("Settings", bound=SharedSettings)


@dataclass(frozen=True)
class Subject:
    """Settings are None where they are wrong. `hidden_redis` tells that `hookline up` has a Redis whose password it kept.

    `online` allows connections to other machines than Redis', `send` an event that handlers see.
    """

    shared: SharedSettings | None
    ingress: IngressSettings | None
    processor: ProcessorSettings | None
    hidden_redis: bool = False
    online: bool = False
    send: bool = False

    @classmethod
    def now(cls, data: Path, *, online: bool, send: bool) -> Self:
        """Look at the environment, the TOML file, and the pair that runs in the folder `data`, if one does."""
        hidden = _adopt_running(data)
        found = [_load(settings) for settings in (SharedSettings, IngressSettings, ProcessorSettings)]
        shared, ingress, processor = found
        assert ingress is None or isinstance(ingress, IngressSettings)  # noqa: S101 - for the type checker
        assert processor is None or isinstance(processor, ProcessorSettings)  # noqa: S101
        return cls(shared, ingress, processor, hidden, online, send)


def _load(settings: type[SharedSettings]) -> SharedSettings | None:
    try:
        return settings.load()
    except SettingsError:
        return None


def _adopt_running(data: Path) -> bool:
    """Set what `hookline up` made up itself, where nothing is set; tells whether it has a Redis that it did not write down."""
    facts = Workspace(data).announced()
    if not facts.admin_ports:
        return False
    made = {name for name, value in os.environ.items() if value} | _in_file() | set(filter(names_file, secrets()))
    ports = [port for name, port in facts.admin_ports.items() if name != "processor"]
    running = {
        "REDIS_URL": facts.redis_url,
        "PUBLIC_URL": facts.public_url,
        "TWILIO_AUTH_TOKEN": facts.auth_token,
        "PROCESSOR_HANDLERS": facts.handlers,
        "INGRESS_HOST": "127.0.0.1",
        "INGRESS_PORT": str(urlsplit(facts.local_url or facts.public_url).port or ""),
        "INGRESS_ADMIN_PORT": str(ports[0]) if ports else "",
        "PROCESSOR_ADMIN_PORT": str(facts.admin_ports.get("processor", "")),
    }
    if "INGRESS_SPOOL_PATH" not in os.environ:
        running["INGRESS_SPOOL_PATH"] = str(Workspace(data).spool)
    os.environ.update({name: value for name, value in running.items() if value and name not in made})
    return not facts.redis_url and "REDIS_URL" not in made


def _in_file() -> set[str]:
    try:
        return set(read_config_file())
    except SettingsError:
        return set()
