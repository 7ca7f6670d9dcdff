"""Who decides how long a lane waits."""

from collections.abc import Callable
from math import inf

from hookline_processor.partition.waiting.conditions import Conditions


class Gate:
    """A gate that lets `allowed` lanes through."""

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.asked: list[str] = []
        self.listeners: list[Callable[[], None]] = []

    def claim(self, name: str) -> float:
        self.asked.append(name)
        return self.allowed

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


def test_each_family_has_its_gate() -> None:
    """It is asked by the name within the family, whatever that contains."""
    breaker, kind = Gate(1), Gate(0)
    conditions = Conditions({"breaker": breaker, "kind": kind})
    assert conditions.claim("breaker:crm:eu") == 1
    assert conditions.claim("kind:call.status") == 0
    assert (breaker.asked, kind.asked) == (["crm:eu"], ["call.status"])


def test_nobody_waits_for_a_condition_of_another_version() -> None:
    """What no gate knows may be resumed: it is attempted, or waits for something that is known."""
    assert Conditions({"breaker": Gate(0)}).claim("weather:rain") == inf
    assert Conditions({}).claim("breaker") == inf


def test_changes_of_all_gates_are_told_until_the_end() -> None:
    """One listener hears of all families."""
    gates = [Gate(0), Gate(0)]
    told: list[int] = []
    end = Conditions({"breaker": gates[0], "kind": gates[1]}).on_change(lambda: told.append(1))
    for gate in gates:
        for listener in gate.listeners:
            listener()
    assert len(told) == 2
    end()
    assert [gate.listeners for gate in gates] == [[], []]
