"""The settings to check: those of both services as they are set here, or as `hookline up` chose them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from hookline_cli.settings.running import adopt_running
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError
from hookline_shared.settings.base import SharedSettings

Settings = TypeVar("Settings", bound=SharedSettings)


@dataclass(frozen=True)
class Subject:
    """Settings are None if they are invalid. `hidden_redis`: `hookline up` has a REDIS_URL with a password, which is not saved.

    `online` allows connections to machines other than those of Redis, `send` an event that handlers receive.
    """

    shared: SharedSettings | None
    ingress: IngressSettings | None
    processor: ProcessorSettings | None
    hidden_redis: bool = False
    online: bool = False
    send: bool = False

    @classmethod
    def now(cls, data: Path, *, online: bool, send: bool) -> Self:
        """Look at the environment, the files of settings, and the local stack that runs in the folder `data`, if one does."""
        hidden = adopt_running(data).hidden_redis
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
