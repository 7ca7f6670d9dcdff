"""How a release is cut: one version everywhere, and workflows that need no secret and may do no more than they must."""

import os
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[3]
VERSION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED: Final = re.compile(r"^[\w.-]+(/[\w.-]+)+@v\d+\.\d+\.\d+$")
Job = dict[str, Any]


def workflow(file: Path) -> dict[str, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text())
    found["on"] = found.pop(True)  # YAML 1.1 takes `on` for a truth value
    return found


def release() -> dict[str, Job]:
    jobs: dict[str, Job] = workflow(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    return jobs


def steps(job: Job) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job.get("steps", [])
    return found


def used(job: Job) -> list[str]:
    return [job["uses"]] if "uses" in job else [step["uses"] for step in steps(job) if "uses" in step]


each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)


@each_workflow
def test_actions_are_pinned(file: Path) -> None:
    """Each action is of one version; a workflow of ours comes from the same commit."""
    for action in (action for job in workflow(file)["jobs"].values() for action in used(job)):
        assert PINNED.match(action) or (ROOT / action).is_file(), action


@each_workflow
def test_workflows_have_no_secrets(file: Path) -> None:
    """None is named, and git's own token does not stay in the clone, where a test could read it."""
    assert "secrets" not in file.read_text()
    for step in (step for job in workflow(file)["jobs"].values() for step in steps(job)):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_workflows_may_only_read(file: Path) -> None:
    """What a job may do beyond reading the repository is said by that job."""
    assert workflow(file)["permissions"] in ({}, {"contents": "read"})


def test_no_job_may_do_more_than_it_must() -> None:
    """Only signing and publishing get an identity, and neither runs code of the repository or of its dependencies."""
    permissions = {name: job["permissions"] for name, job in release().items()}
    assert permissions == {
        "test": {"contents": "read"},
        "build": {"contents": "read"},
        "attest": {"contents": "read", "id-token": "write", "attestations": "write"},
        "publish": {"id-token": "write"},
    }
    for name in ("attest", "publish"):
        assert not [step for step in steps(release()[name]) if "run" in step or "checkout" in step["uses"]]


def test_a_release_is_tested_built_attested_and_published() -> None:
    """One after the other, for tags alone, and publishing needs the approval that its environment asks for."""
    assert workflow(ROOT / ".github" / "workflows" / "release.yml")["on"] == {"push": {"tags": ["v*"]}}
    assert {name: job.get("needs") for name, job in release().items()} == {
        "test": None,
        "build": "test",
        "attest": "build",
        "publish": "attest",
    }
    assert release()["test"]["uses"] == "./.github/workflows/ci.yml"
    assert release()["publish"]["environment"]["name"] == "pypi"
    assert steps(release()["publish"])[-1]["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert "with" not in steps(release()["publish"])[-1], "no password, no other index"


def test_targets_exist() -> None:
    """What the workflows run is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [
        step["run"] for file in WORKFLOWS for job in workflow(file)["jobs"].values() for step in steps(job) if "run" in step
    ]
    named = {command.split()[1] for command in commands if command.startswith("make ")}
    assert named == {"bench-check", "dist", "sbom"}
    assert named <= targets
    assert ".ci/run" in commands
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize(
    ("tag", "changelog", "complaint"),
    [
        ("v1.2.3", "## 1.2.3 - 2026-12-01\n", ""),
        ("v1.2.4", "## 1.2.3 - 2026-12-01\n", "The tag v1.2.4 is not v1.2.3, which pyproject.toml says."),
        ("v1.2.3", "## Unreleased\n", "CHANGELOG.md has no section '## 1.2.3 - date'."),
    ],
)
def test_tag_is_the_version(tag: str, changelog: str, complaint: str, tmp_path: Path) -> None:
    """Nothing is built for a tag that is not the version, or of which the changelog says nothing."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "hookline"\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{changelog}")
    (script,) = [step["run"] for step in steps(release()["build"]) if "GITHUB_REF_NAME" in step.get("run", "")]
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (int(bool(complaint)), complaint)


def test_version_is_said_once() -> None:
    """What is installed has the version of pyproject.toml, and what names an image names that one."""
    assert version("hookline") == VERSION
    tags = [
        tag
        for file in [*(ROOT / "deploy" / "k8s").rglob("*.yaml"), *(ROOT / "docs").glob("*.md")]
        for tag in re.findall(r"newTag: (\S+)|/hookline:([0-9][\w.]*)", file.read_text())
    ]
    assert {first or second for first, second in tags} == {VERSION}


def test_image_has_the_version_as_its_label() -> None:
    """deploy.sh reads it from pyproject.toml, hands it to the build, and the build makes it a label."""
    (line,) = re.findall(
        r"^ *HOOKLINE_VERSION=\$\((.*)\)$", (ROOT / "deploy" / "steps" / "checks.sh").read_text(), re.MULTILINE
    )
    read = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert read.splitlines() == [VERSION]
    assert f'VERSION: "${{HOOKLINE_VERSION:-{VERSION}}}"' in (ROOT / "compose.yaml").read_text()
    assert 'org.opencontainers.image.version="$VERSION"' in (ROOT / "Dockerfile").read_text()
