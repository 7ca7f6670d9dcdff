"""The handler of `message.send`: sends one message, once. `docs/answering.md` has the states and what happens between them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from hookline_processor.metrics import MESSAGES
from hookline_processor.replies.outbox_events import TOKEN
from hookline_processor.replies.outputs import Outputs
from hookline_processor.sender.accounts import Accounts
from hookline_processor.sender.lookup import LOOKS_S, is_blind, matches, reaches_back, seconds_to_look
from hookline_processor.sender.outcomes import NotSent, Outcome, Refused, Sent, Trouble, explain, reason_of
from hookline_processor.sender.twilio_client import Twilio
from hookline_processor.verdicts import Reason, RetryLater, UndeliverableError
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError, FencedError
from hookline_shared.observability.logs import Logger
from hookline_shared.partitions import partition_of
from hookline_shared.streams.outbox import Begun, Mark, Marks, Place, State
from hookline_shared.streams.ownership.lease import Fence

LATEST_S: Final = 5.0
"""How long after its `sending` was written a request may go out. The first that may repeat it comes 120 s after that."""
_SOON_S: Final = 1.0
_LONGEST_MS: Final = 86_400_000
"""How long a message is sent again whose request is cut each time. Its conversation waits, and something else is wrong."""
_FORGET_S: Final = 300.0
"""A message that was not attempted for so long is another processor's, or waits for its account."""
_AGAIN_S: Final = 0.1
_UNKNOWN: Final = (
    "Nobody knows whether Twilio has sent this message: the request was cut, and no message in Twilio's list can be told to be "
    "this one. Look in Twilio's log whether the recipient got it."
)


class Task(NamedTuple):
    """One message to be sent: where its mark is, the account, and the parameters of Twilio's API."""

    place: Place
    account: str
    parameters: Mapping[str, Any]

    def status_callback(self, url: str | None) -> Mapping[str, Any]:
        """Return the parameters with the status callback at `url` that has the token, unless the message names another one."""
        if url is None or "StatusCallback" in self.parameters:
            return self.parameters
        return {**self.parameters, "StatusCallback": f"{url}?hl={self.place.partition}.{self.place.token}"}


class Sender:
    """Sends messages with `twilio`. `fences` has the proof of ownership of each partition that this processor owns.

    `needed_s` is how long a lease must last at least when a request begins, in seconds. If it ends during the request, the next
    owner finds the message in doubt, which is slow, not wrong. `resend` is whether a message is sent again if nobody knows what
    became of it, and it cannot be found. `looks_s` is how long after a request it is looked for, in seconds.
    """

    def __init__(
        self,
        marks: Marks,
        fences: Mapping[int, Fence],
        partitions: int,
        twilio: Twilio,
        accounts: Accounts,
        clock: Clock,
        logger: Logger,
        needed_s: float,
        *,
        resend: bool,
        looks_s: Sequence[float] = LOOKS_S,
    ) -> None:
        self._marks = marks
        self._fences = fences
        self._partitions = partitions
        self._twilio = twilio
        self._accounts = accounts
        self._clock = clock
        self._logger = logger
        self._needed_s = needed_s
        self._resend = resend
        self._looks_s = looks_s
        self._in_doubt: dict[Place, float] = {}
        """The messages whose outcome is unknown, with the monotonic time in seconds of the last attempt."""

    async def send(self, event: WebhookEvent, _context: object) -> Outputs:
        """Send the message that `event` is. Raise `RetryLater` while it has to wait, for whatever reason.

        Raises:
            UndeliverableError: if it is not sent, and no other attempt changes that.

        """
        task = self._task(event)
        try:
            sid = await self._send(task)
        except (BrokerUnavailableError, FencedError) as error:
            self._logger.debug("sending waits for redis", error=str(error))
            raise RetryLater(_SOON_S) from error
        except UndeliverableError as error:
            MESSAGES.count(error.reason.value)
            self._in_doubt.pop(task.place, None)
            raise
        MESSAGES.count("sent")
        self._in_doubt.pop(task.place, None)
        return Outputs(sid=sid)

    def doubts(self) -> list[Place]:
        """Return the messages whose outcome is unknown, as far as this process attempts them: others may have by now."""
        now = self._clock.monotonic()
        self._in_doubt = {place: at for place, at in self._in_doubt.items() if now - at < _FORGET_S}
        return list(self._in_doubt)

    def _task(self, event: WebhookEvent) -> Task:
        parameters = dict(event.json or {})
        place = Place(partition_of(event.raw.key, self._partitions), str(parameters.pop(TOKEN, "")))
        if not place.token or "To" not in parameters:
            raise UndeliverableError(Reason.UNFIT, "The entry in the outbox is none of a message.")
        return Task(place, event.raw.account, parameters)

    async def _send(self, task: Task) -> str:
        started = self._clock.monotonic()
        begun = await self._begin(task)
        match begun.state:
            case State.SENT:
                return begun.mark.sid
            case State.LEASE:
                raise self._later(task, _SOON_S)
            case State.SENDING:
                return await self._resolve(task, begun)
        return await self._request(task, begun.mark, started)

    async def _begin(self, task: Task, replaced: str = "") -> Begun:
        fence = self._fences.get(task.place.partition)
        if fence is None:
            raise RetryLater(_SOON_S)
        return await self._marks.begin(task.place, fence, self._needed_s, self._twilio.account(task.account), replaced)

    async def _request(self, task: Task, mark: Mark, started: float) -> str:
        """Send the request for `mark`, which was written after `started`, in monotonic seconds."""
        parameters = task.status_callback(self._twilio.status_callback)
        outcome = await self._twilio.create(mark.account, parameters, started + LATEST_S)
        self._accounts.report(task.account, outcome)
        match outcome:
            case Sent(sid):
                return await self._claim(task, mark, sid)
            case Refused():
                await self._marks.requeue(task.place, mark)
                raise UndeliverableError(reason_of(outcome), explain(outcome))
            case NotSent():
                await self._marks.requeue(task.place, mark)
                raise self._later(task, self._seconds_after(task, outcome))
        raise self._doubt(task, outcome.reason)

    async def _claim(self, task: Task, mark: Mark, sid: str) -> str:
        """Note that Twilio has the message as `sid`, unless an equal one that was looked for has taken that for itself."""
        if await self._marks.claim(sid, task.place.token):
            await self._marks.sent(task.place, mark.account, sid)
            return sid
        MESSAGES.count("swapped")
        await self._marks.requeue(task.place, mark)
        raise self._later(task, _AGAIN_S)

    async def _resolve(self, task: Task, begun: Begun) -> str:
        """Find out what became of an earlier request, or wait for the next look."""
        mark, age_s = begun.mark, (begun.now_ms - begun.mark.last_ms) / 1000
        self._in_doubt[task.place] = self._clock.monotonic()
        is_last = age_s >= self._looks_s[-1]
        if age_s < self._looks_s[0] or (is_blind(task.parameters) and not is_last):
            raise self._later(task, seconds_to_look(self._looks_s, age_s))
        if not is_blind(task.parameters):
            if (sid := await self._look(task, mark)) is not None:
                MESSAGES.count("found")
                return sid
            if not is_last:
                raise self._later(task, seconds_to_look(self._looks_s, age_s))
        if is_blind(task.parameters) or not self._resend or mark.last_ms - mark.first_ms > _LONGEST_MS:
            await self._marks.give_up(task.place, mark)
            raise UndeliverableError(Reason.UNKNOWN, _UNKNOWN)
        return await self._repeat(task, mark)

    async def _look(self, task: Task, mark: Mark) -> str | None:
        """Look for the message in Twilio's list, and claim it. Return its SID, None if it is not there."""
        sender = str(task.parameters.get("From", ""))
        listed = await self._twilio.listed(mark.account, str(task.parameters["To"]), sender)
        if not isinstance(listed, list):
            self._accounts.report(task.account, listed)
            raise self._later(task, self._looks_s[0])
        if not reaches_back(listed, self._twilio.most_listed, mark.first_ms):
            raise UndeliverableError(Reason.UNKNOWN, _UNKNOWN)
        for sid in matches(task.parameters, listed, mark.first_ms):
            if await self._marks.claim(sid, task.place.token):
                await self._marks.sent(task.place, mark.account, sid)
                return sid
        return None

    async def _repeat(self, task: Task, mark: Mark) -> str:
        started = self._clock.monotonic()
        begun = await self._begin(task, replaced=mark.text)
        if begun.state is State.SENT:
            return begun.mark.sid
        if begun.state is not State.BEGUN:
            raise self._later(task, _SOON_S)
        MESSAGES.count("repeated")
        self._logger.warning("message sent again", token=task.place.token, reason="Twilio does not list it, so it was not sent")
        return await self._request(task, begun.mark, started)

    def _doubt(self, task: Task, reason: str) -> RetryLater:
        if task.place not in self._in_doubt:
            MESSAGES.count("doubt")
            self._logger.warning(
                "message in doubt",
                token=task.place.token,
                reason=reason,
                remedy="none: it is looked for before it is sent again",
            )
        self._in_doubt[task.place] = self._clock.monotonic()
        return RetryLater(self._looks_s[0])

    def _later(self, task: Task, seconds: float) -> RetryLater:
        """Return the exception with which the message waits. If it was let through as a probe, another one may be."""
        self._accounts.give_back(task.account)
        return RetryLater(seconds)

    def _seconds_after(self, task: Task, outcome: Outcome) -> float:
        """Return the delay after a request that sent nothing. While its account is closed, others wait in Redis as well."""
        if isinstance(outcome, NotSent) and outcome.trouble is Trouble.UNREACHABLE:
            return max(_SOON_S, self._accounts.seconds_closed(task.account))
        return max(_AGAIN_S, self._accounts.seconds_closed(task.account))
