"""Verifies a request: its form, its size, the limit of its address, and its signature."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp.hdrs import CONTENT_ENCODING
from msgspec.structs import replace

from hookline_ingress.http.request import Request
from hookline_ingress.limits.guards import Guards
from hookline_ingress.metrics import SIGNERS
from hookline_ingress.refusals import Refusal, RefusalWarnings, TokenMissing
from hookline_ingress.routing.routes import Route
from hookline_ingress.signatures.likely_cause import likely_cause
from hookline_ingress.translation.webhook import Webhook, is_encoded
from hookline_shared.catalogue.sids import PARENT_ACCOUNT, is_account
from hookline_shared.clock import Clock

if TYPE_CHECKING:
    from hookline_ingress.signatures.token_provider import TokenProvider


class RequestVerifier:
    """Verifies requests within the limit of their addresses. `provider` returns tokens that are not known, if there is one."""

    def __init__(
        self,
        guards: Guards,
        public_urls: Sequence[str],
        provider: "TokenProvider | None",
        warnings: RefusalWarnings,
        clock: Clock,
    ) -> None:
        self._proxies, self._addresses = guards.proxies, guards.addresses
        self._public_urls = public_urls
        self._provider = provider
        self._warnings = warnings
        self._clock = clock

    def verify(self, request: Request, route: Route, address: str) -> tuple[Webhook, str]:
        """Return the content of a request from `address`, and the name of the secret that verifies it.

        Raises:
            Refusal: if it does not verify, or is not looked at.
            TokenMissing: if a token may verify it that is not known.

        """
        signature = self._check(request, route, address)
        try:
            return self._verify(self._decode(request, route, signature), route)
        except (Refusal, TokenMissing):
            self._addresses.refused(address)
            raise

    def _check(self, request: Request, route: Route, address: str) -> str:
        """Refuse what is refused whatever its signature is; return the signature, empty if there is none."""
        headers = request.headers
        if request.method not in ("POST", "GET"):
            raise Refusal(405, "wrong_method")
        encoding = headers.get(CONTENT_ENCODING)
        if encoding is not None and is_encoded(encoding):
            raise Refusal(415, "compressed")
        if not route.admits(len(request.body), headers):
            raise Refusal(413, "too_large")
        signature = route.verifier.signature_of(headers)
        if self._addresses.blocks(address, len(request.target) + len(request.body), signed=bool(signature)):
            raise Refusal(403, "flooding_signed" if signature else "flooding")
        return signature

    def _decode(self, request: Request, route: Route, signature: str) -> Webhook:
        if not signature:
            self._warnings.warn_of_signature(route.path)
            raise Refusal(403, "no_signature")
        try:
            return route.decode(request, signature, self._clock.now_ms())
        except ValueError:
            raise Refusal(400, "unparsable") from None

    def _verify(self, webhook: Webhook, route: Route) -> tuple[Webhook, str]:
        """Return `webhook` with the account that its signature is valid for, and the name of the secret that verifies it.

        What is about a subaccount may be signed with the token of the parent account. It then counts as the parent's: its token
        must not speak for accounts that are not its own. Such webhooks are forms: JSON is not decoded before it is verified.
        """
        forwarded = self._proxies.base(webhook.request)
        signer = route.verifier.verify(webhook, forwarded)
        if signer is None and is_account(parent := webhook.form.params.get(PARENT_ACCOUNT, "")):
            webhook = replace(webhook, account=parent)
            signer = route.verifier.verify(webhook, forwarded)
        if signer is None:
            if self._provider is not None and (accounts := self._provider.accounts_to_ask(route.verifier, webhook)):
                raise TokenMissing(accounts)
            self._warnings.warn_of_signature(route.path, lambda: self._cause(route, webhook, forwarded))
            raise Refusal(403, "bad_signature")
        SIGNERS.count(signer.name)
        return webhook.of_account(signer.account), signer.name

    def _cause(self, route: Route, webhook: Webhook, forwarded: str) -> str | None:
        verifier = route.verifier
        return verifier.cause(webhook) or likely_cause(verifier, webhook, tuple(self._public_urls), forwarded)
