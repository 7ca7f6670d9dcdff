"""Secrets are hidden by value, however many there are."""

from time import perf_counter

from hookline_shared.observability.secrets import KnownSecrets

TOKEN, OTHER = "0123456789abcdef" * 2, "f" * 32


def test_every_occurrence_is_hidden() -> None:
    """Tokens, alone and between other digits, and secrets of any other form."""
    secrets = KnownSecrets([TOKEN, OTHER, "pass word", "pass word longer"])
    for text in (TOKEN, f"a{TOKEN}", f"x{TOKEN}{OTHER}y", f"'{OTHER}0'", "pass word longer", "(pass word)", TOKEN[1:] + TOKEN):
        hidden = secrets.hide(text)
        assert "[redacted]" in hidden
        assert not any(one in hidden for one in (TOKEN, OTHER, "pass word", "longer"))


def test_other_text_stays() -> None:
    """SIDs, ids and hashes are no tokens."""
    text = f"SM{'1' * 32} {'0' * 64} {TOKEN[:-1]} nothing"
    assert KnownSecrets([TOKEN, ""]).hide(text) == text


def test_many_tokens_take_no_time() -> None:
    """A hundred thousand of them do not slow down a log line."""
    secrets = KnownSecrets(f"{number:032x}" for number in range(100_000))
    text = f"event received SM{'a' * 32} {99_999:032x} " * 4
    best = min(_time(secrets, text) for _ in range(20))
    assert "[redacted]" in secrets.hide(text)
    assert best < 1e-3


def _time(secrets: KnownSecrets, text: str) -> float:
    started = perf_counter()
    secrets.hide(text)
    return perf_counter() - started
