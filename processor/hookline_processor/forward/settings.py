"""What the processor needs to sign forwarded webhooks as Twilio does."""

from pathlib import Path
from typing import Annotated

from hookline_shared.settings.base import CommaSeparated
from hookline_shared.validation import SettingsGroup, Variable

_SIGNS = "With a forward, the processor signs webhooks with it"


class SigningSettings(SettingsGroup, frozen=True, kw_only=True):
    """The tokens and URLs of ingress, under the same names. Ingress checks them; without a forward, nothing reads them here."""

    auth_tokens: Annotated[CommaSeparated, Variable("TWILIO_AUTH_TOKEN", _SIGNS, secret=True)] = ()
    tokens_path: Annotated[Path | None, Variable("TWILIO_TOKENS_PATH", _SIGNS)] = None
    public_urls: Annotated[CommaSeparated, Variable("PUBLIC_URL", "Base URL that Twilio calls")] = ()
