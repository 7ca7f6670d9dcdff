"""The lanes whose next events are to be loaded from the waiting index. No I/O."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple

from hookline_processor.partition.lanes import Lane, Lanes
from hookline_shared.streams.waiting.index import LoadRequest

_MAX_LOADS: Final = 50


class Load(NamedTuple):
    """A resumed lane whose next events are to be loaded; `lane` is None if it is not in memory."""

    topic: str
    lane_id: str
    lane: Lane | None


class LoadQueue:
    """Lanes by their ids, each once, in the order of their requests. `wake` is set by a request."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self._loads: dict[str, Load] = {}

    def __len__(self) -> int:
        return len(self._loads)

    def __contains__(self, lane_id: str) -> bool:
        return lane_id in self._loads

    def request(self, lane: Lane) -> None:
        """Load the next events of a lane in memory, unless that is requested already."""
        requested = self._loads.get(lane.id)
        if requested is None or requested.lane is not lane:
            self._loads[lane.id] = Load(lane.topic, lane.id, lane)
        self.wake.set()

    def request_by_id(self, topic: str, lane_id: str) -> None:
        """Load the next events of a lane that is not in memory."""
        self._loads[lane_id] = Load(topic, lane_id, None)
        self.wake.set()

    def drop(self, lane_id: str) -> None:
        """Remove the request for a lane, if there is one."""
        self._loads.pop(lane_id, None)

    def answered(self, load: Load) -> None:
        """Remove `load`, but no request that was made since."""
        if self._loads.get(load.lane_id) is load:
            del self._loads[load.lane_id]

    def first(self, most: int, suits: Callable[[Load], bool]) -> list[Load]:
        """Return up to `most` of the requests that suit. They stay until `drop`."""
        return list(islice((load for load in self._loads.values() if suits(load)), most))


def load_requests(
    loads: LoadQueue, lanes: Lanes, free: Callable[[str], int], is_caught_up: Callable[[str], bool]
) -> dict[Load, LoadRequest]:
    """Return what to ask for, of topics that are caught up: no more events than `free(topic)` may be in memory."""

    def may_load(load: Load) -> bool:
        if load.lane is not None and (load.lane.leaving or not lanes.wanted(load.lane, 0)):
            return False
        return free(load.topic) > 0 and is_caught_up(load.topic)

    requests: dict[Load, LoadRequest] = {}
    asked, behind = Counter[str](), Counter[str]()
    for load in loads.first(_MAX_LOADS, may_load):
        topic, lane_id, lane = load
        wanted = lanes.wanted(lane, behind[topic]) if lane else 1
        most = min(wanted, free(topic) - asked[topic])
        if most > 0:
            asked[topic] += most
            behind[topic] += most - (lane is None or not lane.events)
            requests[load] = LoadRequest(topic, lane_id, lane.last_indexed if lane else "", most)
    return requests
