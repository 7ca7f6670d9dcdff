"""The system that the random sequences run against: Redis, the processors, who delivers, and an operator."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

from hookline_processor.api.handlers import Handlers
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.streams.waiting.control import LaneSet, WaitingControl
from hookline_shared.streams.waiting.pauses import PauseStore
from tests.integration.processor.machine.command_log import CommandLog
from tests.integration.processor.machine.harness import LEASE_S, PARTITIONS, URL, Harness, Member
from tests.integration.processor.machine.invariants import Invariants
from tests.integration.processor.machine.own_loop import OwnClock, OwnLoop
from tests.integration.processor.machine.redis_pair import RedisPair
from tests.integration.processor.machine.scripted_handlers import MESSAGE, scripted_handlers
from tests.integration.processor.machine.sums import READ, at_rest, check_sums, imbalance, leftovers, read_states
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event
from tests.support.storage.keys import keys

MOST_MEMBERS: Final = 3
NEVER: Final = 1_000_000
BALANCE_S: Final = 0.02
"""How often it is looked whether all is as it should be: each look asks Redis for everything."""

Answer = TypeVar("Answer")


class SystemUnderTest:
    """Redis, the processors, and who delivers to them."""

    def __init__(self, pair: RedisPair, durability: Durability) -> None:
        pair.reset()
        self.pair = pair
        self.invariants = Invariants(pair.master)
        self.log = CommandLog(pair.master)
        self.invariants.begin_timeline(pair.master)
        self._ingress = OwnLoop(lambda: pair.port)
        self.harness = Harness(lambda: pair.port, self._handlers_of, self.invariants.check, self._ingress)
        self._durability = durability
        self._redis = self._ingress.run_until_complete(self._connect())
        self._appender = Appender(self._redis, PARTITIONS, dedupe_window_s=3600, backlog_limit=NEVER)
        self.pauses = PauseStore(self._redis)
        self.control = WaitingControl(self._redis, PARTITIONS)

    def _handlers_of(self, member: Member) -> Handlers:
        return scripted_handlers(member, self.invariants)

    async def _connect(self) -> RedisConnectionManager:
        options = RedisOptions(url=URL, breaker_failures=NEVER)
        return RedisConnectionManager(options, PARTITIONS, OwnClock(self._ingress), Logbook().logger, self._durability)

    def deliver(self, topic: str, key: str, script: str, kind: str = MESSAGE, size: int = 10) -> None:
        """Append an event as ingress does, and note whether it counts as accepted."""
        one = event(key=key, kind=kind, body=b"x" * size)
        delivery = self.invariants.offered(topic, one, script)
        timeout_s = 0.2 if self._durability is Durability.REPLICA else 5.0
        appending = self._ingress.create_task(self._appender.append([(topic, one)], timeout_s))
        self.harness.until(appending.done, "an event is delivered")
        delivery.accepted = appending.result() == [Appended.NEW]

    def member(self, number: int, suits: Callable[[Member], bool] = lambda _member: True) -> Member | None:
        """Return one of those that suit, if there are any."""
        suitable = [member for member in self.harness.members if suits(member)]
        return suitable[number % len(suitable)] if suitable else None

    def fail_over(self) -> None:
        """Make the replica the master."""
        self.invariants.review(self.log.calls())
        self.log.close()
        self.pair.fail_over()
        self.log = CommandLog(self.pair.master)
        self.invariants.begin_timeline(self.pair.master)
        self.harness.cut()
        for member in self.harness.members:
            member.excuse_for(LEASE_S)

    def ask(self, question: Coroutine[Any, Any, Answer], what: str) -> Answer | None:
        """Do as an operator does, while all goes on; return the answer, None if Redis did not give one in time."""
        asking = self._ingress.create_task(question)
        self.harness.until(asking.done, what)
        return None if isinstance(asking.exception(), BrokerUnavailableError) else asking.result()

    def check(self) -> None:
        """Check all sums."""
        check_sums(self.pair.master, self.invariants, self.harness.members)

    def imbalance(self) -> list[str]:
        """Return where a processor does not know what it has, and what waits."""
        return imbalance(read_states(self.pair.master), self.harness.members)

    def retry_all(self) -> None:
        """Let everything that waits be attempted now, as `hookline retry now` does."""
        for waiting, lanes in self.waiting_lanes():
            self.ask(self.control.retry_now(waiting.partition, waiting.topic, lanes), "all is due")

    def waiting_lanes(self) -> Iterator[tuple[LaneSet, list[str]]]:
        """Yield the lanes that wait, set by set."""
        for waiting in self.ask(self.control.sets(READ), "the waiting lanes are known") or ():
            key = keys.waiting(waiting.partition, waiting.topic, waiting.condition)
            found: Any = self.pair.master.zrange(key, 0, -1)
            yield waiting, [lane.decode() for lane in found]

    def finish(self) -> None:
        """Let everything come to its end, and look whether all is as it should be."""
        self._heal()
        self.harness.until_none(self.imbalance, every=BALANCE_S)
        self.check()
        self.invariants.hurry = True
        for pause in self.ask(self.pauses.read(), "the pauses are known") or ():
            self.ask(self.pauses.remove([pause.id]), "the pause is over")
        self.invariants.destination_fails = False
        for attempt in self.invariants.waiting_attempts():
            attempt.said.set_result("d")
        self.harness.until(self._all_settled, "every event is settled", every=BALANCE_S)
        self.harness.until(lambda: at_rest(self.harness.members), "nothing is in memory")
        self.harness.until_none(lambda: leftovers(self.harness.members))
        self.check()
        for member in self.harness.members:
            member.leave()
        self.harness.until(lambda: not self.harness.members, "all have left")
        self.invariants.review(self.log.calls())
        self.invariants.conclude()

    def _heal(self) -> None:
        """Bring back all processors, and what they need."""
        self.pair.catch_up()
        for member in self.harness.members:
            member.loop.linked = True
            member.wake(stood_still=False)
        if not any(not member.leaving for member in self.harness.members):
            self.harness.join()

    def _all_settled(self) -> bool:
        self.retry_all()
        return self.settled()

    def settled(self) -> bool:
        """Whether nothing is running, and nothing left in Redis."""
        if self.invariants.running:
            return False
        streams = [keys.topic(partition, topic) for partition in range(PARTITIONS) for topic in READ]
        return not any(self.pair.master.xlen(stream) for stream in streams)

    def close(self) -> None:
        """Stop all."""
        self._ingress.run_until_complete(self._redis.close())
        self.harness.close()
        self.log.close()
