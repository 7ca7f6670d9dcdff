"""The settings of a running `hookline up`: it saves them, and the other commands use them."""

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
    """The `hookline up` of a folder; `facts` is empty if none runs. `adopted` are those of its settings that
    apply here, too, as variables. `hidden_redis` is whether its REDIS_URL was not saved and is not set here either."""

    facts: StackFacts
    adopted: Mapping[str, str]
    hidden_redis: bool


def public_settings(ingress: IngressSettings, processor: ProcessorSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings in `environment` without the secrets; `ingress` and `processor` were made from them."""
    named = {name.upper(): value for name, value in environment.items()}
    found = {name: named[name] for name in variables() if name in named and name not in secrets()}
    ports = {
        "INGRESS_PORT": ingress.port,
        "INGRESS_ADMIN_PORT": ingress.admin_port,
        "PROCESSOR_ADMIN_PORT": processor.admin_port,
    }
    if "PUBLIC_URL" in found:  # as it is signed: without credentials, which Twilio leaves out
        found["PUBLIC_URL"] = ",".join(ingress.public_urls)
    paths = {name: str(Path(found[name]).resolve()) for name in _PATHS if found.get(name)}
    return found | {name: str(port) for name, port in ports.items()} | paths | _ledger(processor.ledger.url)


def find_running(data: Path) -> Running:
    """Return the `hookline up` that runs in folder `data`, if one does.

    The variables of this process win over those that are adopted, and they win over `.env` and the TOML file.
    """
    facts = Workspace(data).announced()
    if not facts.admin_ports:
        return Running(facts, {}, hidden_redis=False)
    own = {name.upper() for name, value in own_environment().items() if value or name.upper() in EMPTY_COUNTS}
    own |= set(filter(names_file, secrets()))
    found = facts.settings | {"REDIS_URL": facts.redis_url, "TWILIO_AUTH_TOKEN": facts.auth_token}
    adopted = {name: value for name, value in found.items() if name not in own and (value or name in EMPTY_COUNTS)}
    return Running(facts, adopted, hidden_redis=not _names_redis({**os.environ, **adopted}))


def _ledger(url: str | None) -> dict[str, str]:
    if url is not None and parse_database_url(url).secrets:
        return {}
    return {"HOOKLINE_LEDGER_URL": url or ""}


def _names_redis(environment: Mapping[str, str]) -> bool:
    named = bool(environment.get("REDIS_URL")) or names_file("REDIS_URL", environment)
    return named or "REDIS_URL" in _in_file(environment)


def _in_file(environment: Mapping[str, str]) -> set[str]:
    try:
        return set(read_config_file(environment))
    except SettingsError:
        return set()
