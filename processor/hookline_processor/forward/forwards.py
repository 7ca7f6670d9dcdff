"""All forwards of a processor: which of them an event goes to, as the handler that attempts it."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from hookline_processor.api.table import Handler
from hookline_processor.forward.client import AppClient
from hookline_processor.forward.conversation import Conversations
from hookline_processor.forward.forward_handler import App, Signing
from hookline_processor.forward.settings import SigningSettings
from hookline_processor.forward.tokens import Tokens
from hookline_processor.retry_policy import RetryPolicy
from hookline_shared.catalogue.kinds import MESSAGE_SEND
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.forwards import Forward, forward_of
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.manager import RedisConnectionManager

_RESERVE_S: Final = 2.0
"""Beyond the time-out of the app: for its cookies, and to say which time-out it was."""
_SENDGRID: Final = "sendgrid"
_REMEDY: Final = "docs/forwarding.md says what answers mean; this is said once"


class Forwards:
    """The apps of `forwards`, and a handler for each. `findings` are what their owners should know, each said once."""

    def __init__(
        self, forwards: Sequence[Forward], signing: Signing, conversations: Conversations, clock: Clock, logger: Logger
    ) -> None:
        self._logger = logger
        self._client: AppClient | None = None
        self._handlers = {
            one: _handler(App(one, signing, self._opened, conversations, partial(self._note, one), clock)) for one in forwards
        }
        self.findings: dict[str, None] = {}

    def find(self, event: Event) -> Handler | None:
        """Return the handler of the forward to which `event` belongs, None if it belongs to none."""
        if event.kind == MESSAGE_SEND or event.signer.startswith(_SENDGRID):
            return None
        found = forward_of(self._handlers, event.target)
        return None if found is None else self._handlers[found]

    def patterns(self) -> list[str]:
        """Return the patterns of kinds that are passed on: all, since the path of an event decides, or none."""
        return ["*"] if self._handlers else []

    def longest_timeout(self) -> float:
        """Return the longest time-out of any attempt in seconds."""
        return max((handler.timeout_s or 0.0 for handler in self._handlers.values()), default=0.0)

    def warnings(self) -> list[str]:
        """Return what the owners of apps should know."""
        return list(self.findings)

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()

    def _opened(self) -> AppClient:
        """Return the HTTP client, which needs the event loop."""
        if self._client is None:
            self._client = AppClient()
        return self._client

    def _note(self, forward: Forward, finding: str) -> None:
        text = f"app of the forward {forward.path}: {finding}"
        if text not in self.findings:
            self.findings[text] = None
            self._logger.warning("forward", path=forward.path, reason=finding, remedy=_REMEDY)


def _handler(app: App) -> Handler:
    name, timeout_s = f"forward {app.forward.path}", app.forward.timeout_s + _RESERVE_S
    policy = RetryPolicy(max_attempts=app.forward.max_attempts)
    return Handler(name, app.handle, timeout_s, policy, is_async=True, breaker=name)


def build_forwards(
    forwards: Sequence[Forward],
    settings: SigningSettings,
    redis: RedisConnectionManager,
    partitions: int,
    clock: Clock,
    logger: Logger,
) -> Forwards:
    """Return the forwards of a processor."""
    signing = Signing(Tokens(settings.auth_tokens, settings.tokens_path), settings.public_urls)
    return Forwards(forwards, signing, Conversations(redis, partitions, clock, logger), clock, logger)
