"""The settings to check: those of both services as they are set here, or as `hookline up` chose them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from hookline_cli.settings.running import find_running
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError
from hookline_shared.settings.base import SharedSettings

Settings = TypeVar("Settings", bound=SharedSettings)


@dataclass(frozen=True)
class Subject:
    """Settings are None if they are invalid. `hidden_redis`: `hookline up` has a REDIS_URL with a password, which is not saved.

    `online` allows connections to machines other than those of Redis, `send` an event that handlers receive.
    `adopted` are the variables that were taken from the `hookline up` that runs.
    """

    shared: SharedSettings | None
    ingress: IngressSettings | None
    processor: ProcessorSettings | None
    hidden_redis: bool = False
    online: bool = False
    send: bool = False
    adopted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls, data: Path, *, online: bool, send: bool) -> Self:
        """Look at the environment, the files of settings, and the local stack that runs in the folder `data`, if one does."""
        running = find_running(data)
        found = [_load(settings, running.adopted) for settings in (SharedSettings, IngressSettings, ProcessorSettings)]
        shared, ingress, processor = found
        assert ingress is None or isinstance(ingress, IngressSettings)  # noqa: S101 - for the type checker
        assert processor is None or isinstance(processor, ProcessorSettings)  # noqa: S101
        return cls(shared, ingress, processor, running.hidden_redis, online, send, running.adopted)


def _load(settings: type[SharedSettings], adopted: Mapping[str, str]) -> SharedSettings | None:
    try:
        return settings.load(adopted)
    except SettingsError:
        return None
