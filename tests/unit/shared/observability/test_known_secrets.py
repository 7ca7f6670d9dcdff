"""Secrets are hidden by value, however many there are."""

from base64 import b64encode
from json import dumps
from time import thread_time
from urllib.parse import quote

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


def test_quoted_secrets_are_hidden() -> None:
    """As a URL, JSON or Python quotes them, in another case, and as a failing request of Twilio's library quotes its header."""
    secrets = KnownSecrets([TOKEN, 'p@ss/w"ö\n'])
    encoded = b64encode(f"AC{'1' * 32}:{TOKEN}".encode()).decode()
    header = f"Authorization: Basic {encoded}"
    for text in (TOKEN.upper(), header, header.lower(), quote('p@ss/w"ö\n'), dumps('p@ss/w"ö\n'), repr('p@ss/w"ö\n')):
        assert "[redacted]" in secrets.hide(text)
    assert encoded not in secrets.hide(header)
    assert secrets.hide("Basic settings") == "Basic settings"


def test_words_are_hidden_only_as_words() -> None:
    """A password of a few letters hides itself, and no parts of other words."""
    assert KnownSecrets(["letter"]).hide("letters: letter, newsletter") == "letters: [redacted], newsletter"


def test_long_texts_take_no_time() -> None:
    """A sender may make an error quote a megabyte of digits; only the beginning and the end of an error are kept."""
    secrets = KnownSecrets([TOKEN, "pass word"])
    text = "ab" * 500_000
    assert min(_time(secrets, text) for _ in range(5)) < 0.05
    assert secrets.hide_in_start(f"pass word{text}", 50).startswith("[redacted]")
    assert secrets.hide_in_end(f"{text}-pass word", 50).endswith("-[redacted]")
    for cut in range(40, 60):
        whole = "x" * cut + TOKEN + " " * 200
        assert TOKEN[:8] not in secrets.hide_in_start(whole, 50)
        assert TOKEN[-8:] not in secrets.hide_in_end(whole[::-1].replace(TOKEN[::-1], TOKEN), 50)


def test_many_tokens_take_no_time() -> None:
    """A hundred thousand of them do not slow down a log line."""
    secrets = KnownSecrets(f"{number:032x}" for number in range(100_000))
    text = f"event received SM{'a' * 32} {99_999:032x} " * 4
    best = min(_time(secrets, text) for _ in range(20))
    assert "[redacted]" in secrets.hide(text)
    assert best < 1e-3


def _time(secrets: KnownSecrets, text: str) -> float:
    started = thread_time()
    secrets.hide(text)
    return thread_time() - started
