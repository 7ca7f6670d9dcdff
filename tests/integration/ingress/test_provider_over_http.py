"""Tokens from a function of the user, over HTTP: which webhooks make it be called, and what they are answered."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hookline_shared.errors import SettingsError
from tests.support.inbound.kinds import ACCOUNT, message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.storage.stored import Stored
from tests.support.waiting import until_answer

SUB, SUB_TOKEN = "AC" + "5" * 32, "5" * 32
MODULE = "tokens_of_a_test"
CODE = f"""
asked = []
error = None

async def find(account):
    asked.append(account)
    if error:
        raise error
    return {{"{SUB}": "{SUB_TOKEN}"}}.get(account)

def find_plainly(account):
    asked.append(account)
    return ["{SUB_TOKEN}"] if account == "{SUB}" else None
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Yield a module of the user, in the working folder."""
    (tmp_path / f"{MODULE}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__(MODULE)
    del sys.modules[MODULE]


def settings(redis_url: str, function: str = "find") -> dict[str, str]:
    return ingress_settings(redis_url) | {"TWILIO_TOKENS_PROVIDER": f"{MODULE}:{function}"}


async def status(ingress: LocalIngress, twilio: Twilio, **params: str) -> int:
    return (await ingress.client.post(twilio.webhook(message(**params)))).status


@pytest.mark.parametrize("function", ["find", "find_plainly"])
async def test_webhook_of_a_new_account(redis_url: str, stored: Stored, module: ModuleType, function: str) -> None:
    """Its first webhook is accepted as soon as the function has answered; webhooks of others ask nobody, or are refused."""
    async with running_ingress(settings(redis_url, function)) as ingress:
        assert await status(ingress, Twilio()) == 200
        unsigned = Twilio(SUB_TOKEN).webhook(message(AccountSid=SUB)).without_header("X-Twilio-Signature")
        assert (await ingress.client.post(unsigned)).status == 403
        assert module.asked == []
        assert await status(ingress, Twilio(SUB_TOKEN), AccountSid=SUB) == 200
        assert await status(ingress, Twilio(SUB_TOKEN), AccountSid=SUB, MessageSid="SM" + "9" * 32) == 200
        assert await status(ingress, Twilio("7" * 32), AccountSid=SUB) == 403
        assert await status(ingress, Twilio(SUB_TOKEN), AccountSid=ACCOUNT) == 403
        assert module.asked == [SUB, ACCOUNT]
        metrics = (await ingress.admin.request("GET", "/metrics", {})).body.decode()
        assert 'hookline_ingress_tokens_asked_total{outcome="none"}' in metrics
    assert {(event.signer, event.account) for event in stored.events()} == {("provided1", SUB), ("token1", ACCOUNT)}


async def test_function_that_fails(redis_url: str, module: ModuleType) -> None:
    """Webhooks whose token cannot be had now get a 503, so that Twilio comes again or calls the fallback URL."""
    async with running_ingress(settings(redis_url)) as ingress:
        module.error = OSError("away")  # type: ignore[attr-defined]
        assert await status(ingress, Twilio(SUB_TOKEN), AccountSid=SUB) == 503
        ready = (await ingress.admin.request("GET", "/readyz?verbose", {})).body.decode()
        assert "[!]tokens warning: TWILIO_TOKENS_PROVIDER failed with OSError" in ready
        assert ready.endswith("readyz check passed\n")
        assert await status(ingress, Twilio()) == 200
        module.error = None  # type: ignore[attr-defined]
        await until_answer(
            lambda: status(ingress, Twilio(SUB_TOKEN), AccountSid=SUB), lambda code: code == 200, "it is asked again"
        )


async def test_function_that_is_not_there(redis_url: str, module: ModuleType) -> None:
    """Ingress does not start without it, nor with two sources of tokens."""
    for wrong, value, problem in (
        ("TWILIO_TOKENS_PROVIDER", f"{MODULE}:nothing", "has no attribute"),
        ("TWILIO_TOKENS_PROVIDER", MODULE, "it is not of the form module:function"),
        ("TWILIO_TOKENS_PATH", "tokens", "TWILIO_TOKENS_PATH is set, too"),
    ):
        with pytest.raises(SettingsError, match=problem):
            async with running_ingress(settings(redis_url) | {wrong: value}):
                pass
    assert module.asked == []
