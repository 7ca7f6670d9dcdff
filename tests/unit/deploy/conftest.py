"""Where deploy/deploy.sh runs in tests."""

import shutil
from pathlib import Path

import pytest

from tests.support.deployment.deploy_script import TOOLS


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a PATH on which there is no docker, and what the script needs else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    return str(folder)
