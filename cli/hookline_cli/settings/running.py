"""The settings of a running `hookline up`: it saves them, and the other commands adopt them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from hookline_cli.settings.rows import EMPTY_COUNTS, secrets, variables
from hookline_cli.workspace import StackFacts, Workspace
from hookline_ingress.settings import IngressSettings
from hookline_processor.ledger.url import parse_database_url
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError
from hookline_shared.settings.config_file import CONFIG_VARIABLE, read_config_file
from hookline_shared.settings.env_file import own_environment
from hookline_shared.settings.secret_files import names_file

_PATHS: Final = (CONFIG_VARIABLE, "INGRESS_SPOOL_PATH")


class Running(NamedTuple):
    """The `hookline up` of a folder; `facts` is empty if none runs. `adopted` are the settings that this process took from
    it, and `hidden_redis` is whether its REDIS_URL was not saved and is not set here either."""

    facts: StackFacts
    adopted: Mapping[str, str]
    hidden_redis: bool


def public_settings(ingress: IngressSettings, processor: ProcessorSettings) -> dict[str, str]:
    """Return the settings of this process without the secrets; `ingress` and `processor` were made from them."""
    environment = {name.upper(): value for name, value in os.environ.items()}
    found = {name: environment[name] for name in variables() if name in environment and name not in secrets()}
    ports = {
        "INGRESS_PORT": ingress.port,
        "INGRESS_ADMIN_PORT": ingress.admin_port,
        "PROCESSOR_ADMIN_PORT": processor.admin_port,
    }
    if "PUBLIC_URL" in found:  # as it is signed: without credentials, which Twilio leaves out
        found["PUBLIC_URL"] = ",".join(ingress.public_urls)
    paths = {name: str(Path(found[name]).resolve()) for name in _PATHS if found.get(name)}
    return found | {name: str(port) for name, port in ports.items()} | paths | _ledger(processor.ledger.url)


def adopt_running(data: Path) -> Running:
    """Put the settings of the `hookline up` that runs in folder `data`, if one does, into the environment.

    The variables of this process win over them, and they win over `.env` and the TOML file.
    """
    facts = Workspace(data).announced()
    if not facts.admin_ports:
        return Running(facts, {}, hidden_redis=False)
    own = {name.upper() for name, value in own_environment().items() if value or name.upper() in EMPTY_COUNTS}
    own |= set(filter(names_file, secrets()))
    found = facts.settings | {"REDIS_URL": facts.redis_url, "TWILIO_AUTH_TOKEN": facts.auth_token}
    adopted = {name: value for name, value in found.items() if name not in own and (value or name in EMPTY_COUNTS)}
    os.environ.update(adopted)
    return Running(facts, adopted, hidden_redis=not _names_redis())


def _ledger(url: str | None) -> dict[str, str]:
    if url is not None and parse_database_url(url).secrets:
        return {}
    return {"HOOKLINE_LEDGER_URL": url or ""}


def _names_redis() -> bool:
    return bool(os.environ.get("REDIS_URL")) or names_file("REDIS_URL") or "REDIS_URL" in _in_file()


def _in_file() -> set[str]:
    try:
        return set(read_config_file())
    except SettingsError:
        return set()
