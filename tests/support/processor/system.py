"""Redis with a replica, the processors, and who delivers to them: what sequences of steps are played on."""

from collections.abc import Callable
from typing import Final

from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event
from tests.support.processor.harness import LEASE_S, PARTITIONS, URL, Harness, Member
from tests.support.processor.invariants import Invariants
from tests.support.processor.own_loop import OwnClock, OwnLoop
from tests.support.servers.command_log import CommandLog
from tests.support.servers.redis_pair import RedisPair
from tests.support.storage.keys import keys

TOPICS: Final = (MESSAGES, STATUSES)
NEVER: Final = 1_000_000


class SystemUnderTest:
    """Redis, the processors, and who delivers to them."""

    def __init__(self, pair: RedisPair, durability: Durability) -> None:
        pair.reset()
        self.pair = pair
        self.invariants = Invariants(pair.master)
        self.log = CommandLog(pair.master)
        self.invariants.begin_timeline(pair.master)
        self._ingress = OwnLoop(lambda: pair.port)
        self.harness = Harness(lambda: pair.port, self.invariants, self.invariants.check, self._ingress)
        self._durability = durability
        self._redis = self._ingress.run_until_complete(self._connect())
        self._appender = Appender(self._redis, PARTITIONS, dedupe_window_s=3600, backlog_limit=NEVER)

    async def _connect(self) -> RedisConnectionManager:
        options = RedisOptions(url=URL, breaker_failures=NEVER)
        return RedisConnectionManager(options, PARTITIONS, OwnClock(self._ingress), Logbook().logger, self._durability)

    def deliver(self, topic: str, key: str, script: str) -> None:
        """Append an event as ingress does, and note whether it counts as accepted."""
        one = event(key=key)
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

    def finish(self) -> None:
        """Let everything come to its end, and look whether all is as it should be."""
        self.invariants.hurry = True
        self.pair.catch_up()
        for member in self.harness.members:
            member.loop.linked = True
            member.wake(stood_still=False)
        if not any(not member.leaving for member in self.harness.members):
            self.harness.join()
        for attempt in self.invariants.waiting_attempts():
            attempt.said.set_result("d")
        self.harness.until(self.settled, "every event is settled")
        for member in self.harness.members:
            member.leave()
        self.harness.until(lambda: not self.harness.members, "all have left")
        self.invariants.review(self.log.calls())
        self.invariants.conclude()

    def settled(self) -> bool:
        """Whether nothing is running, and nothing left in Redis."""
        if self.invariants.running:
            return False
        streams = [keys.topic(partition, topic) for partition in range(PARTITIONS) for topic in TOPICS]
        return not any(self.pair.master.xlen(stream) for stream in streams)

    def close(self) -> None:
        """Stop all."""
        self._ingress.run_until_complete(self._redis.close())
        self.harness.close()
        self.log.close()
