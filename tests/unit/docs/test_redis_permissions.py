"""The permissions of the Redis user: what the scripts need is documented, and what is documented is given."""

import re
from pathlib import Path

import pytest

import hookline_shared.streams.scripts
from tests.support.deployment.permissions import documented_permissions

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted(Path(hookline_shared.streams.scripts.__file__).parent.glob("*.lua"))
CALL = re.compile(r"redis\.p?call\('([A-Z]+)'")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_commands_of_a_script_are_permitted(script: Path) -> None:
    """Each by its name; those of streams are permitted as a category, in which all begin with X."""
    permitted = {word.removeprefix("+") for word in documented_permissions()}
    commands = {name.lower() for name in CALL.findall(script.read_text()) if not name.startswith("X")}
    assert commands <= permitted


@pytest.mark.parametrize("file", ["deploy/secrets.sh", "deploy/k8s/components/redis/users.sh"])
def test_deployments_give_what_is_documented(file: str) -> None:
    """And the command for INGRESS_DURABILITY=fsync, which their servers have."""
    (line,) = re.findall(r"^user hookline on (.*)$", (ROOT / file).read_text(), re.MULTILINE)
    assert {word for word in line.split() if word.startswith("+")} == {*documented_permissions()[1:], "+waitaof"}
