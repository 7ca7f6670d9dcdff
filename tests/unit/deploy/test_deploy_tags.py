"""Which images deploy/deploy.sh takes for the one in service and the one before."""

import subprocess
from pathlib import Path

import pytest

from tests.support.deployment.deploy_script import ROLLOUT, steps

_DOCKER = """#!/usr/bin/env bash
cd "$(dirname "$0")/../tags"
case "$1 $2" in
  "image inspect") cat "${5#*:}" 2>/dev/null || { echo; exit 1; } ;;
  "image rm") rm "${3#*:}" ;;
  "tag "*)
    if [[ $2 = *$'\\n'* ]]; then echo "invalid reference format" >&2; exit 1; fi
    { cat "${2#*:}" 2>/dev/null || echo "$2"; } >.new; mv .new "${3#*:}" ;;
esac
"""
_TAGS = """
image_of() { cat "$tags/.of_ingress"; }; replace() { cat "$tags/current" >"$tags/.of_ingress"; }
compose() { [ "$1" != ps ] || echo ingress; }; not_serving() { :; }
"""


@pytest.fixture
def tags(path: str, tmp_path: Path) -> Path:
    """Return a folder in which each file is the tag of an image; `docker` tags there. `first` is in service."""
    (Path(path) / "docker").write_text(_DOCKER)
    (Path(path) / "docker").chmod(0o755)
    folder = tmp_path / "tags"
    folder.mkdir()
    for name in ("current", ".of_ingress"):
        (folder / name).write_text("first\n")
    return folder


def deploy_over(path: str, tags: Path, forward: str) -> subprocess.CompletedProcess[str]:
    """Deploy the image `second`; `forward` puts it into service. Each tag of an image is a file in `tags`."""
    (tags / "candidate").write_text("second\n")
    rollout = ROLLOUT.replace("remember() { old_image=sha256:1; }", "").replace("docker() { :; }\ncompose() { :; }", "")
    answers = "tell_redis() { :; }; remember_settings() { :; }; version_of() { :; }; critical_alerts() { :; }"
    named = f"tags={tags}; settings=true; stores=true; {rollout} {_TAGS} {answers}; forward() {{ {forward}; }}"
    return steps(path, f"{named}; in_service forward smoke")


@pytest.mark.parametrize(
    ("forward", "code", "current", "previous"), [("replace", 0, "second", "first"), ("false", 1, "first", "")]
)
def test_killed_deployment_has_left_what_served(
    forward: str, code: int, current: str, previous: str, path: str, tags: Path
) -> None:
    """After `kill -9`, what it had put into service is not taken for the version before, whatever comes of the next one."""
    assert deploy_over(path, tags, "replace; kill -KILL $$").returncode == -9
    assert image_ids(tags, ".of_ingress", "before") == ["second", "first"]
    done = deploy_over(path, tags, forward)
    assert done.returncode == code, done.stderr
    assert image_ids(tags, "current", "previous", "before") == [current, previous, ""]


def test_container_that_goes_while_it_is_looked_at(path: str) -> None:
    """Nothing is begun without knowing what serves, and that is said."""
    done = steps(path, 'docker() { return 1; }; compose() { [ "$1" != ps ] || echo ingress; }; remember')
    assert done.returncode == 1
    assert "ingress, which served just now, is gone" in done.stderr


@pytest.mark.parametrize(("killed", "wanted"), [(True, "served"), (False, "older")])
def test_rollback_after_a_killed_deployment(path: str, tags: Path, wanted: str, *, killed: bool) -> None:
    """It goes back to what served when that began, not to the version before it."""
    (tags / "previous").write_text("older\n")
    if killed:
        (tags / "before").write_text("served\n")
    done = steps(path, "check_tools() { :; }; alone() { :; }; in_service() { :; }; main rollback")
    assert done.returncode == 0, done.stderr
    assert image_ids(tags, "candidate") == [wanted]


def image_ids(tags: Path, *names: str) -> list[str]:
    """Return the image of each tag, empty if there is none."""
    return [(tags / name).read_text().strip() if (tags / name).exists() else "" for name in names]
