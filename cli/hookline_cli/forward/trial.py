"""One signed sample to an app, as a processor would send it, and what a processor would do with the answer."""

import time
from typing import NamedTuple

from hookline_processor.events.events import typed
from hookline_processor.forward.answer import Answer, accepted, is_refusal, refused, unreachable
from hookline_processor.forward.client import AppClient, BrokenAnswerError, NotConnectedError
from hookline_processor.forward.request import AppRequest, UnsignableError, public_url_of, request_to
from hookline_processor.forward.settings import SigningSettings
from hookline_processor.forward.tokens import Tokens
from hookline_processor.replies.message import Message, Reply, UnfitError
from hookline_shared.errors import HooklineError
from hookline_shared.event import Event
from hookline_shared.forwards import Forward


class TrialError(HooklineError):
    """There is nothing to try, or nothing to sign with."""


class Trial(NamedTuple):
    """What was sent, and what came back: an answer, or `problem`, which says why there is none."""

    request: AppRequest
    seconds: float
    answer: Answer | None = None
    cookies: tuple[str, ...] = ()
    problem: str = ""


class Outcome(NamedTuple):
    """What a processor would do: it would send `replies`, or fail because of `problem`. `finding` is worth knowing.

    `is_answer` is whether Twilio, which waits for it, would get the answer as it is.
    """

    replies: list[Reply | Message]
    problem: str = ""
    finding: str = ""
    is_answer: bool = False


async def attempt(forward: Forward, event: Event, signing: SigningSettings) -> Trial:
    """Send `event` to the app of `forward`, once.

    Raises:
        TrialError: if it cannot be signed.

    """
    token = Tokens(signing.auth_tokens, signing.tokens_path).token_of(event.account, event.signer)
    try:
        request = request_to(forward, event, token, signing.public_urls)
    except UnsignableError as error:
        raise TrialError(str(error)) from None
    client, started = AppClient(), time.perf_counter()
    try:
        exchange = await client.send(request, forward.timeout_s)
        cookies = tuple(morsel.OutputString() for morsel in exchange.cookies)
        return Trial(request, time.perf_counter() - started, exchange.answer, cookies)
    except NotConnectedError as error:
        problem = str(unreachable(str(error), may_wait=False, jitter=0))
    except TimeoutError:
        problem = f"The app did not answer within {forward.timeout_s:g} s."
    except BrokenAnswerError as error:
        problem = f"{str(error)[0].upper()}{str(error)[1:]}."
    finally:
        await client.close()
    return Trial(request, time.perf_counter() - started, problem=problem)


def outcome_of(trial: Trial, event: Event, signing: SigningSettings) -> Outcome:
    """Return what a processor would do after `trial`, which carried `event`."""
    answer = trial.answer
    if answer is None:
        return Outcome([], trial.problem)
    if not 200 <= answer.status < 300 and not is_refusal(typed(event), answer):  # noqa: PLR2004
        return Outcome([], str(refused(answer, may_wait=False, jitter=0)))
    token = Tokens(signing.auth_tokens, signing.tokens_path).token_of(event.account, event.signer)
    try:
        found = accepted(typed(event), answer, public_url_of(event, token, signing.public_urls))
    except UnfitError as error:
        return Outcome([], str(error))
    return Outcome(found.replies, finding=found.finding, is_answer=found.response is not None)
