"""The sums of docs/architecture.md, "States of an unsettled event": after each step, every event is counted in one state."""

from collections.abc import Iterator
from typing import Final

import redis

from hookline_processor.partition.partition import Partition
from hookline_shared.partitions import partition_of
from hookline_shared.topics import CALLS, MESSAGES, STATUSES
from tests.integration.processor.machine.harness import PARTITIONS, WINDOW, Member
from tests.integration.processor.machine.invariants import UNREAD, Delivery, Invariants
from tests.integration.processor.machine.redis_state import TopicState, topic_state

READ: Final = (MESSAGES, STATUSES, CALLS)
"""The topics that processors read."""
_MOST: Final = WINDOW + WINDOW // 2
"""How many events of a topic a partition may have in memory: a read that is under way comes in addition."""

States = dict[tuple[int, str], TopicState]


def read_states(master: "redis.Redis") -> States:
    """Return what Redis has of each partition and topic."""
    places = [(number, topic) for number in range(PARTITIONS) for topic in (*READ, UNREAD)]
    return {place: topic_state(master, *place) for place in places}


def check_sums(master: "redis.Redis", invariants: Invariants, members: list[Member]) -> None:
    """Raise an error if an event is missing or counted twice, in Redis or in the memory of a processor."""
    states = read_states(master)
    faults = [f"{place}: {fault}" for place, state in states.items() for fault in state.faults()]
    faults += [fault for delivery in invariants.deliveries.values() for fault in _lost(delivery, states)]
    faults += [f"{member.name}: {fault}" for member in members for fault in _memory_faults(member)]
    assert not faults, "\n".join(faults)


def imbalance(states: States, members: list[Member]) -> list[str]:
    """Return where a processor does not know just what Redis says: what it has in memory, and what waits.

    While calls are under way that is so for a moment.
    """
    owned = [(number, partition) for member in members for number, partition in partitions_of(member).items()]
    if sorted(number for number, _ in owned) != list(range(PARTITIONS)):
        return [f"the owned partitions are {[number for number, _ in owned]}"]
    places = [(number, topic, partition) for number, partition in owned for topic in READ]
    return [
        f"{number}, {topic}: {fault}"
        for number, topic, partition in places
        for fault in _differences(partition, topic, states[number, topic])
    ]


def at_rest(members: list[Member]) -> bool:
    """Whether no processor holds anything of an event."""
    return not any(any(partition._room.count(topic) for topic in READ) for partition in _all_partitions(members)) and not any(
        len(partition._execution.lanes) or len(partition._loads) or partition._settler._queued
        for partition in _all_partitions(members)
    )


def leftovers(members: list[Member]) -> list[str]:
    """Return what is held though no event is left."""
    found = []
    for member in members:
        assert member.processor is not None
        slots = member.processor.slots
        if slots._running or slots._shared_used or any(queue.running for queue in slots._queues.values()):
            found.append(f"{member.name} holds worker slots")
        for number, partition in partitions_of(member).items():
            if partition._room._memory._used:
                found.append(f"{member.name} holds {partition._room._memory._used} bytes in partition {number}")
            found += [f"{topic} waits in partition {number}" for topic in READ if partition._sets.waiting(topic)]
    return found


def partitions_of(member: Member) -> dict[int, Partition]:
    """Return the partitions of a processor."""
    if member.processor is None:
        return {}
    return {number: owned.partition for number, owned in member.processor.ownership._owned.items()}


def _all_partitions(members: list[Member]) -> list[Partition]:
    return [partition for member in members for partition in partitions_of(member).values()]


def _differences(partition: Partition, topic: str, state: TopicState) -> Iterator[str]:
    pending = {entry for entry, consumer in state.consumers.items() if consumer == "processor"}
    if pending != (in_memory := set(partition._room._topics[topic].sizes)):
        yield f"{in_memory} are in memory, and {pending} should be"
    waiting = {condition: len(lanes) for condition, lanes in state.waiting.items() if lanes}
    counted = {condition: found.count for condition, found in partition._sets.of(topic).items() if found.count}
    if counted != waiting:
        yield f"{counted} are counted to wait, and {waiting} do"


def _lost(delivery: Delivery, states: States) -> Iterator[str]:
    state = states[partition_of(delivery.event.key, PARTITIONS), delivery.topic]
    if not delivery.accepted or delivery.event.id in state.dead or delivery.event.id in state.entries.values():
        return
    if not any(attempt.ended == "d" for attempt in delivery.attempts):
        yield f"event {delivery.event.id} of {delivery.topic} is lost"


def _memory_faults(member: Member) -> Iterator[str]:
    partitions = partitions_of(member)
    for number, partition in partitions.items():
        for fault in _partition_faults(partition):
            yield f"partition {number}: {fault}"
    if partitions and member.processor is not None:
        memory = next(iter(partitions.values()))._room._memory
        counted = sum(sum(topic.sizes.values()) for room in memory._rooms for topic in room._topics.values())
        if memory._used != counted:
            yield f"{memory._used} bytes are taken, and the events in memory have {counted}"
        yield from _slot_faults(member)


def _slot_faults(member: Member) -> Iterator[str]:
    assert member.processor is not None
    slots = member.processor.slots
    running = sum(queue.running for queue in slots._queues.values())
    if running + len(slots._overdue) != len(slots._running):
        yield f"{running} worker slots are taken, and {len(slots._running)} lanes run"
    shared = sum(max(0, queue.running - queue.reserved) for queue in slots._queues.values())
    if shared != slots._shared_used or shared > slots._shared:
        yield f"{slots._shared_used} shared slots are taken, and {shared} used"


def _partition_faults(partition: Partition) -> Iterator[str]:
    lanes = partition._execution.lanes
    for topic in READ:
        held = partition._room._topics[topic].sizes
        in_lanes = [event.entry_id for lane in lanes.all() if lane.topic == topic for event in lane.events]
        settling = [event.entry_id for event in partition._settler._queued if event.topic == topic]
        if len(in_lanes) != len(set(in_lanes)):
            yield f"an event is in two lanes: {in_lanes}"
        if roomless := {*in_lanes, *settling} - held.keys():
            yield f"{roomless} are in memory without room"
        if len(held) > _MOST:
            yield f"{len(held)} events of {topic} are in memory"
        behind = sum(max(0, len(lane.events) - 1) for lane in lanes.all() if lane.topic == topic)
        if behind != lanes._behind[topic]:
            yield f"{behind} events come after others, and {lanes._behind[topic]} are counted"
