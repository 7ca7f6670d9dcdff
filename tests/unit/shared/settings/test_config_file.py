"""Which TOML file is read."""

from pathlib import Path

import pytest

from hookline_shared.settings.config_file import CONFIG_VARIABLE, config_file, read_config_file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)
    return tmp_path


def test_no_file_is_no_mistake() -> None:
    """Nothing has to be written in TOML."""
    assert config_file() is None
    assert read_config_file() == {}


def test_file_of_the_working_folder_is_read(folder: Path) -> None:
    """A project has its settings beside its handlers, for each command and service that is started there."""
    (folder / "hookline.toml").write_text('processor_handlers = "bot:handlers"')
    assert read_config_file() == {"PROCESSOR_HANDLERS": "bot:handlers"}


def test_named_file_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable names another file, or with nothing in it none."""
    (folder / "hookline.toml").write_text("ingress_port = 1")
    (folder / "other.toml").write_text("ingress_port = 2")
    monkeypatch.setenv(CONFIG_VARIABLE, "other.toml")
    assert read_config_file() == {"INGRESS_PORT": 2}
    monkeypatch.setenv(CONFIG_VARIABLE, "")
    assert read_config_file() == {}
