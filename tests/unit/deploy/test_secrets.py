"""deploy/secrets.sh, run by a real shell on folders of the test: what a deployment changes, and what it gives back."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

_SCRIPT = Path(__file__).parents[3] / "deploy" / "secrets.sh"
PASSWORDS = ("redis_password", "redis_admin_password", "postgres_password")


class Volume:
    """The volume `kept`, of which containers read, what the user gave, and what others mount."""

    def __init__(self, folder: Path) -> None:
        self.kept, self.given, self.mounted = folder / "kept", folder / "given", folder / "mounted"
        self._tools = folder / "bin"
        for made in (self.kept, self.given, self.mounted, self._tools):
            made.mkdir()
        (self._tools / "chown").write_text("#!/bin/sh\n")  # only root may give files away
        (self._tools / "chown").chmod(0o755)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        path = f"{self._tools}:{Path(shutil.which('sed') or '').parent}:/usr/bin:/bin"
        folders = {"HOOKLINE_KEPT": self.kept, "HOOKLINE_GIVEN": self.given, "HOOKLINE_MOUNTED": self.mounted}
        environment = {"PATH": path, **{name: str(folder) for name, folder in folders.items()}}
        return subprocess.run(["sh", _SCRIPT, *words], env=environment, capture_output=True, text=True, check=False)

    def must(self, *words: str) -> str:
        """Run the script, which must succeed; return what it says of problems."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def give(self, name: str, value: str) -> str:
        """Put a secret where the user does."""
        (self.given / name).write_text(value + "\n")
        return value

    def value(self, name: str) -> str:
        """Return what containers read."""
        return (self.kept / name).read_text().strip()

    def accepted(self) -> set[str]:
        """Return the digests with which Redis accepts the user of the services."""
        line = next(line for line in (self.kept / "users.acl").read_text().splitlines() if line.startswith("user hookline on "))
        return set(re.findall(r"#([0-9a-f]{64})\b", line))

    def everything(self) -> dict[str, str]:
        """Return every secret, and who may come to Redis."""
        return {file.name: file.read_text() for file in self.kept.iterdir() if not file.name.startswith(".")}


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Return a volume in which everything was made at random."""
    volume = Volume(tmp_path)
    volume.must()
    return volume


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


@pytest.mark.parametrize("name", PASSWORDS)
def test_password_stays_without_a_deployment(name: str, volume: Volume) -> None:
    """`docker compose up` changes one end of a connection at most. The only copy of a generated password is not overwritten."""
    before = volume.everything()
    volume.give(name, "other")
    assert f"deploy/secrets/{name} is not the password that is in service" in volume.must()
    assert volume.everything() == before


def test_redis_accepts_both_passwords_until_it_is_settled(volume: Volume) -> None:
    """Containers with the password from before go on while others come with the new one. Then the old one counts no more."""
    old = volume.value("redis_password")
    new = volume.give("redis_password", "new")
    volume.must("change")
    assert urlsplit(volume.value("redis_url")).password == new
    assert volume.accepted() == {digest(old), digest(new)}
    volume.must()  # Compose runs it again whenever it starts something
    assert volume.accepted() == {digest(old), digest(new)}
    volume.must("settle")
    assert urlsplit(volume.value("redis_url")).password == new
    assert volume.accepted() == {digest(new)}


@pytest.mark.parametrize("name", [*PASSWORDS, "twilio_auth_token", "redis_url", "database_url", "alert_url"])
def test_failed_deployment_gives_everything_back(name: str, volume: Volume) -> None:
    """A wrong file has cost nothing, and the generated one is there again. Redis goes on accepting what was handed out."""
    before = volume.everything()
    volume.give(name, "wrong")
    volume.must("change")
    volume.must("restore")
    after = volume.everything()
    assert {**after, "users.acl": ""} == {**before, "users.acl": ""}
    assert digest(volume.value("redis_password")) in volume.accepted()


def test_deployment_that_died_is_gone_back_to_its_beginning(volume: Volume) -> None:
    """The next one that fails gives back what served, and containers of both were never shut out."""
    passwords = [volume.value("redis_password")]
    for password in ("second", "third"):
        passwords.append(volume.give("redis_password", password))
        volume.must("change")
    assert volume.accepted() == set(map(digest, passwords))
    volume.must("restore")
    assert volume.value("redis_password") == passwords[0]
    assert volume.accepted() == set(map(digest, passwords))


def test_volume_of_an_earlier_version_accepts_its_password(volume: Volume) -> None:
    """It has no list of what is accepted."""
    old = volume.value("redis_password")
    (volume.kept / ".accepted_redis_password").unlink()
    new = volume.give("redis_password", "new")
    volume.must("change")
    assert volume.accepted() == {digest(old), digest(new)}


@pytest.mark.parametrize("password", ["p@ss/w:rd?#%", "a b", "hex0123"])
def test_password_of_any_characters_fits_into_a_url(password: str, tmp_path: Path) -> None:
    """Those that mean something in a URL are escaped."""
    volume = Volume(tmp_path)
    for name in PASSWORDS:
        volume.give(name, password)
    volume.must()
    for name, host in (("redis_url", "redis"), ("database_url", "postgres")):
        parts = urlsplit(volume.value(name))
        assert (unquote(parts.password or ""), parts.hostname) == (password, host)


@pytest.mark.parametrize(("given", "warned"), [("new", True), ("new,old", False), ("AC1=x,old", False)])
def test_token_that_is_taken_away_is_told_of(given: str, *, warned: bool, tmp_path: Path) -> None:
    """Twilio signs with one token. Where another one takes its place, what comes is refused until Twilio has it, too."""
    volume = Volume(tmp_path)
    volume.give("twilio_auth_token", "old")
    volume.must()
    volume.give("twilio_auth_token", given)
    assert ("no longer in deploy/secrets/twilio_auth_token" in volume.must("change")) is warned


def test_files_that_containers_cannot_read_are_named(volume: Volume) -> None:
    """A clone that was made with umask 077 says what to do, before anything is handed over; git's own files do not count."""
    before = volume.everything()
    (volume.mounted / "deploy" / "prometheus").mkdir(parents=True)
    (volume.mounted / "deploy" / "prometheus" / "prometheus.yml").touch(0o600)
    (volume.mounted / "handlers" / ".git").mkdir(parents=True, mode=0o700)
    (volume.mounted / "config").touch(0o640)
    volume.give("alert_url", "https://alerts.example.com")
    done = volume.run()
    assert done.returncode == 1
    assert "chmod -R o+rX ./deploy/hookline.toml deploy/prometheus" in done.stderr
    assert "examples" not in done.stderr
    assert volume.everything() == before


def test_readable_clone_is_fine(volume: Volume) -> None:
    (volume.mounted / "config").touch(0o644)
    assert "umask" not in volume.must()
