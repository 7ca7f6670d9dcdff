"""Tokens of subaccounts in a file: new ones take effect without a restart, and a broken file breaks nothing."""

import os
from pathlib import Path

import pytest

from hookline_ingress.signatures.tokens_file import TokensFile, parse_tokens
from hookline_ingress.signatures.twilio import Keyring
from hookline_shared.errors import SettingsError
from tests.support.inbound.kinds import ACCOUNT, message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.local_ingress import ingress_settings, running_ingress
from tests.support.ingress.replies import assert_accepted
from tests.support.observability.logbook import Logbook
from tests.support.storage.stored import Stored
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until_answer

SUB, SUB_TOKEN, NEXT_TOKEN = "AC" + "5" * 32, "5" * 32, "6" * 32


def write(path: Path, text: str) -> None:
    """Replace the file at once, as a secret manager does."""
    other = path.with_suffix(".new")
    other.write_text(text)
    os.replace(other, path)  # noqa: PTH105 - as it says


async def test_new_subaccount_needs_no_restart(redis_url: str, stored: Stored, tmp_path: Path) -> None:
    """A subaccount that is added is verified within seconds; a wrong line changes nothing, and is reported without a quote."""
    path = tmp_path / "tokens"
    path.write_text("# none yet\n")
    old, new = Twilio(SUB_TOKEN), Twilio(NEXT_TOKEN)
    async with running_ingress(ingress_settings(redis_url) | {"TWILIO_TOKENS_PATH": str(path)}) as ingress:

        async def status(twilio: Twilio) -> int:
            return (await ingress.client.post(twilio.webhook(message(AccountSid=SUB)))).status

        assert await status(old) == 403
        write(path, f"{SUB}={SUB_TOKEN}\n")
        await until_answer(lambda: status(old), lambda code: code == 200, "the new subaccount is known")
        write(path, f"{SUB}={SUB_TOKEN}\n{SUB}={NEXT_TOKEN}\n")
        await until_answer(lambda: status(new), lambda code: code == 200, "its next token is known")
        write(path, f"{SUB_TOKEN}\n")
        await until_answer(
            lambda: ingress.admin.request("GET", "/readyz?verbose", {}),
            lambda reply: b"line 1 is not of the form" in reply.body and SUB_TOKEN.encode() not in reply.body,
            "the wrong line is reported",
        )
        assert (await status(old), await status(new)) == (200, 200)
        assert_accepted(await ingress.client.post(Twilio().webhook(message())), 200)
    assert {(event.signer, event.account) for event in stored.events()} == {
        ("accounts1", SUB),
        ("accounts2", SUB),
        ("token1", ACCOUNT),
    }


async def test_file_that_cannot_be_used_stops_the_start(redis_url: str, tmp_path: Path) -> None:
    """At the start a missing or wrong file is an error: webhooks of all subaccounts would be refused."""
    for text in (None, SUB_TOKEN):
        path = tmp_path / "tokens"
        if text:
            path.write_text(text)
        with pytest.raises(SettingsError, match="TWILIO_TOKENS_PATH="):
            async with running_ingress(ingress_settings(redis_url) | {"TWILIO_TOKENS_PATH": str(path)}):
                pass


def test_lines() -> None:
    """Comments and empty lines are none; an account may have several tokens."""
    found = parse_tokens(f"\n# main\n {SUB}={SUB_TOKEN} \n\n{SUB}={NEXT_TOKEN}\n{ACCOUNT}={SUB_TOKEN}")
    assert [(one.name, one.account) for one in found] == [("accounts1", SUB), ("accounts2", SUB), ("accounts1", ACCOUNT)]
    with pytest.raises(ValueError, match="line 2 is") as caught:
        parse_tokens(f"{SUB}={SUB_TOKEN}\n{SUB_TOKEN}")
    assert SUB_TOKEN not in str(caught.value)


@pytest.fixture
async def tokens_file(tmp_path: Path, clock: ManualClock, logbook: Logbook) -> TokensFile:
    """Return a file with a token, which was read."""
    path = tmp_path / "tokens"
    path.write_text(f"{SUB}={SUB_TOKEN}\n")
    found = TokensFile(path, Keyring([], ["https://h.example.com"]), clock, logbook.logger)
    await found.look()
    await found.look()
    return found


async def known(file: TokensFile, looks: int = 2) -> set[str]:
    """Return the tokens in use after some looks at the file."""
    for _ in range(looks):
        await file.look()
    return {secret.value.decode() for secret in file._keyring._secrets}


async def test_file_that_is_being_written_does_not_count(tokens_file: TokensFile, tmp_path: Path) -> None:
    """Written in place, it is empty, then has half a line: until it is whole, the tokens stay."""
    path = tmp_path / "tokens"
    path.write_text("")
    assert await known(tokens_file, looks=3) == {SUB_TOKEN}
    assert "no token any more" in str(tokens_file.problem)
    path.write_text(f"{SUB}={NEXT_TOKEN[:10]}")
    assert await known(tokens_file, looks=3) == {SUB_TOKEN}
    assert "line 1" in str(tokens_file.problem)
    path.write_text(f"{SUB}={NEXT_TOKEN}\n")
    assert await known(tokens_file, looks=1) == {SUB_TOKEN}
    assert await known(tokens_file, looks=1) == {NEXT_TOKEN}
    assert tokens_file.problem is None


async def test_file_that_comes_back_is_no_problem(tokens_file: TokensFile, tmp_path: Path) -> None:
    """Moved away and back, it is what it was, also if nothing about it changes, as when a volume is mounted again."""
    path = tmp_path / "tokens"
    for here, away in ((path, tmp_path / "away"), (tmp_path, tmp_path.with_name("away"))):
        here.rename(away)
        assert await known(tokens_file) == {SUB_TOKEN}
        assert "cannot be read" in str(tokens_file.problem)
        away.rename(here)
        await known(tokens_file)
        assert tokens_file.warnings() == []


async def test_rewrite_with_the_same_time_is_seen(tokens_file: TokensFile, tmp_path: Path) -> None:
    """Of the same size, too."""
    path = tmp_path / "tokens"
    before = path.stat()
    path.write_text(f"{SUB}={NEXT_TOKEN}\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await known(tokens_file) == {NEXT_TOKEN}


async def test_pipe_is_no_file(tokens_file: TokensFile, tmp_path: Path) -> None:
    """Reading it would wait for ever."""
    (tmp_path / "tokens").unlink()
    os.mkfifo(tmp_path / "tokens")
    assert await known(tokens_file) == {SUB_TOKEN}
    assert "no regular file" in str(tokens_file.problem)


def test_few_tokens_of_one_account() -> None:
    """All are tried for a webhook, so there are few."""
    lines = [f"{SUB}={number:032x}" for number in range(5)]
    assert len(parse_tokens("\n".join(lines[:4]))) == 4
    with pytest.raises(ValueError, match="line 5 has token 5"):
        parse_tokens("\n".join(lines))
