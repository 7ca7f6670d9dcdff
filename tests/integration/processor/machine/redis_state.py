"""What a Redis server has of every unsettled event, without its body."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import redis

from hookline_shared.redis_keys import GROUP
from tests.support.storage.keys import keys

_SCRIPT: Final = """
local space, topic, group = ARGV[1], ARGV[2], ARGV[3]
local stream = space .. topic

local function event_ids(stream)
  local ids = {}
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
    for at = 1, #entry[2], 2 do
      if entry[2][at] == 'id' then
        ids[#ids + 1] = {entry[1], entry[2][at + 1]}
      end
    end
  end
  return ids
end

local delivered, groups = '0-0', redis.pcall('XINFO', 'GROUPS', stream)
for _, info in ipairs(groups.err and {} or groups) do
  for at = 1, #info, 2 do
    delivered = info[at] == 'last-delivered-id' and info[at + 1] or delivered
  end
end
local pending = redis.pcall('XPENDING', stream, group, '-', '+', 100000)
local lanes, waiting = {}, {}
for _, key in ipairs(redis.call('KEYS', space .. 'lanes:' .. topic .. ':*')) do
  local firsts = redis.call('HGETALL', key)
  for at = 1, #firsts, 2 do
    local others = redis.call('LRANGE', space .. 'behind:' .. topic .. ':' .. firsts[at], 0, -1)
    lanes[#lanes + 1] = {firsts[at], firsts[at + 1], others}
  end
end
for _, key in ipairs(redis.call('KEYS', space .. 'waiting:' .. topic .. '*')) do
  waiting[#waiting + 1] = {string.sub(key, #space + #topic + 10), redis.call('ZRANGE', key, 0, -1)}
end
local behind = #redis.call('KEYS', space .. 'behind:' .. topic .. ':*')
local resumed = redis.call('SMEMBERS', space .. 'resumed:' .. topic)
local dead = event_ids(space .. 'dead')
return {event_ids(stream), delivered, pending.err and {} or pending, lanes, waiting, resumed, behind, dead}
"""


class TopicState(NamedTuple):
    """The events of one topic in one partition. Ids of entries are in the order of their arrival.

    `entries` has the event of each entry, `consumers` the consumer of each pending one, and `delivered` is the last one that
    was read. `lanes` has the indexed entries of each lane, `waiting` the lanes that wait by condition, `behind` the number of
    lists, and `dead` the events among the dead letters of the partition.
    """

    entries: dict[str, str]
    delivered: str
    consumers: dict[str, str]
    lanes: dict[str, list[str]]
    waiting: dict[str, list[str]]
    resumed: set[str]
    behind: int
    dead: set[str]

    def faults(self) -> Iterator[str]:
        """Yield each sum that is wrong: every event is unread, in memory, or waiting, and in one place of the index."""
        read = [entry for entry in self.entries if position(entry) <= position(self.delivered)]
        if set(read) != self.consumers.keys():
            yield f"read are {read}, and pending {self.consumers}"
        if strange := set(self.consumers.values()) - {"processor", "waiting"}:
            yield f"consumers {strange}"
        yield from self._index_faults()
        yield from self._lane_faults()

    def _index_faults(self) -> Iterator[str]:
        indexed = [entry for lane in self.lanes for entry in self.listed(lane)] + self._singles()
        if len(indexed) != len(set(indexed)):
            yield f"an entry is in the index of two lanes: {self.lanes}"
        if lost := {entry for entry, consumer in self.consumers.items() if consumer == "waiting"} - set(indexed):
            yield f"{lost} wait, and are not in the index"
        places = [lane for lanes in [*self.waiting.values(), self.resumed] for lane in lanes]
        if len(places) != len(set(places)):
            yield f"a lane is in two places: {self.waiting}, {self.resumed}"
        if astray := self.lanes.keys() - set(places):
            yield f"lanes {astray} are indexed, and neither wait nor are resumed"
        if self.behind > len(self.lanes):
            yield "a list belongs to no lane"

    def _lane_faults(self) -> Iterator[str]:
        for lane in (lane for lanes in self.waiting.values() for lane in lanes):
            listed = self.listed(lane)
            if not listed or (lane in self.lanes and self.lanes[lane][0] != listed[0]):
                yield f"lane {lane} waits, and its first entry is not pending: {self.lanes.get(lane)}"
            if any(self.consumers[entry] != "waiting" for entry in listed):
                yield f"lane {lane} waits, and not all its entries: {[(entry, self.consumers[entry]) for entry in listed]}"
        for lane in self.lanes:
            listed = self.listed(lane)
            if listed != sorted(listed, key=position):
                yield f"the indexed entries of lane {lane} are out of order: {listed}"

    def listed(self, lane: str) -> list[str]:
        """Return the indexed entries of a lane that are pending, in order."""
        entries = self.lanes.get(lane, [lane])
        return [entry for entry in dict.fromkeys(entries) if entry in self.consumers]

    def _singles(self) -> list[str]:
        """Return the entries of lanes of an unordered topic that are in the index."""
        places = [*(lane for lanes in self.waiting.values() for lane in lanes), *self.resumed]
        return [lane for lane in places if lane not in self.lanes and lane in self.consumers]


def topic_state(client: "redis.Redis", partition: int, topic: str) -> TopicState:
    """Return the state of a topic, all of one moment."""
    answer = _run(client, keys.space(partition), topic)
    entries, delivered, pending, lanes, waiting, resumed, behind, dead = answer
    return TopicState(
        dict(entries),
        delivered,
        {entry: consumer for entry, consumer, *_ in pending},
        {lane: [first, *others] for lane, first, others in lanes},
        dict(waiting),
        set(resumed),
        behind,
        {event for _, event in dead},
    )


def position(entry: str) -> tuple[int, int]:
    """Return the place of an entry in its stream."""
    ms, number = entry.split("-")
    return int(ms), int(number)


def _run(client: Any, space: str, topic: str) -> Any:
    return _decoded(client.register_script(_SCRIPT)(args=[space, topic, GROUP]))


def _decoded(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_decoded(one) for one in answer]
    return answer.decode() if isinstance(answer, bytes) else answer
