"""Tunnel programs, played by small scripts."""

import os
import signal
from pathlib import Path

import pytest

from hookline_cli.dev.tunnels import PROGRAMS, TunnelError, find_program, tunnel

CLOUDFLARED, NGROK = PROGRAMS


def install(folder: Path, name: str, script: str) -> None:
    """Put a program into the only folder of PATH."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a folder that is found before all others, without tunnel programs elsewhere."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "line", "url"),
    [
        ("cloudflared", "INF |  https://soft-red-fox.trycloudflare.com  |", "https://soft-red-fox.trycloudflare.com"),
        (
            "ngrok",
            't=1 lvl=info msg="started tunnel" addr=http://localhost:1 url=https://ab.ngrok-free.app',
            "https://ab.ngrok-free.app",
        ),
    ],
)
def test_url_of_a_program(folder: Path, name: str, line: str, url: str) -> None:
    """It is read from what the program writes, and the program ends with the block."""
    install(folder, name, f"echo $$ > {folder}/pid; echo \"$@\" > {folder}/args; echo starting; echo '{line}'; exec sleep 60")
    program = find_program(name)
    assert program is not None
    with tunnel(program, 8123) as found:
        assert found == url
    assert "8123" in (folder / "args").read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), signal.SIG_DFL)


def test_program_that_fails(folder: Path) -> None:
    """The error has what it has said."""
    install(folder, "cloudflared", "echo no network here; exit 1")
    with pytest.raises(TunnelError, match="no network here"), tunnel(CLOUDFLARED, 1):
        pass


def test_what_is_installed(folder: Path) -> None:
    """The first one that is there; one that is asked for must be."""
    assert find_program(None) in (None, *PROGRAMS)
    install(folder, "ngrok", "exit 0")
    assert find_program("ngrok") is NGROK
    with pytest.raises(TunnelError, match="not installed"):
        find_program("teleport")
