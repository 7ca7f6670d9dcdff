"""Mask personal data in events, so that it does not spread through terminals, chats and logs.

Numbers keep their last two digits, so that two of them can be told apart; SIDs and states stay; all other text is masked.
`--reveal` shows everything.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Final

import typer

from hookline_cli.output.sids import is_sid
from hookline_shared.catalogue.webhook_event import WebhookEvent, is_harmless
from hookline_shared.event import Event
from hookline_shared.observability.logs import Redactor
from hookline_shared.observability.redaction import redact_quotes
from hookline_shared.observability.secrets import SECRETS
from hookline_shared.settings.known_secrets import known_secrets

Reveal = Annotated[bool, typer.Option("--reveal", help="Show numbers, keys and texts unmasked.")]

_HASH: Final = re.compile(r"[0-9a-f]{32,64}", re.ASCII)
_MASKED_NUMBER: Final = re.compile(r"\+\*{3}\d\d", re.ASCII)
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}|[A-Z][a-z]{2}, \d[A-Za-z0-9 :+-]{1,40}", re.ASCII)
"""A state, a number or a time. A parameter with a name like MyStatus may have any text."""
_NAME: Final = re.compile(r"[A-Za-z_][\w.\[\]-]{0,99}", re.ASCII)
_SCHEMES: Final = frozenset({"whatsapp", "messenger", "client", "sip", "rcs"})
_KEPT: Final = 2
_LONG: Final = 6
"""A part of a key shorter than this is masked completely."""


class Redaction:
    """Masks personal data, or nothing if `reveal`."""

    def __init__(self, *, reveal: bool) -> None:
        self.reveal = reveal
        SECRETS.add(known_secrets())
        self._redactor = Redactor()

    def key(self, key: str) -> str:
        """Return an ordering key with its SIDs and hashes, the rest masked."""
        return key if self.reveal else ":".join(map(self._part, self._redactor.text(key).split(":")))

    def error(self, text: str, event: Event | None) -> str:
        """Return an error message or a traceback without values that it quotes from `event`, if that can be decoded."""
        if self.reveal:
            return text
        return self.text(text, WebhookEvent(event).personal if event else ())

    def text(self, text: str, personal: Collection[str]) -> str:
        """Return `text` without quotes of `personal` values, numbers and secrets."""
        return text if self.reveal else self._redactor.text(redact_quotes(text, personal))

    def parameters(self, event: Event) -> Mapping[str, str]:
        """Return all parameters of `event`; none if it cannot be parsed."""
        try:
            params = WebhookEvent(event).params
        except ValueError:
            return {}
        return {self.name(name): self.value(name, value) for name, value in params.items()}

    def target(self, target: str) -> str:
        """Return the path, and a mark for the query, which can hold the parameters of a GET."""
        path, question, _ = target.partition("?")
        return target if self.reveal or not question else f"{path}?..."

    def raw(self, fields: Iterable[bytes]) -> list[str]:
        """Return the names and values of an entry that is not an event."""
        return [repr(field)[2:-1] if self.reveal else f"[{len(field)} bytes]" for field in fields]

    def name(self, name: str) -> str:
        """Return the name of a parameter, which somebody may have chosen."""
        return name if self.reveal or _NAME.fullmatch(name) else f"[{len(name)} characters]"

    def _part(self, part: str) -> str:
        if part in _SCHEMES or is_sid(part) or _HASH.fullmatch(part) or _MASKED_NUMBER.fullmatch(part) or not part:
            return part
        return f"***{part[-_KEPT:]}" if len(part) >= _LONG else "***"

    def value(self, name: str, value: str) -> str:
        """Return the value of parameter `name`."""
        if self.reveal or not value or is_sid(value) or (is_harmless(name) and _HARMLESS.fullmatch(value)):
            return value
        number = self._redactor.text(value)
        scheme, _, rest = number.rpartition(":")
        if _MASKED_NUMBER.fullmatch(rest) and scheme in {"", *_SCHEMES}:
            return number
        return f"[{len(value)} characters]"
