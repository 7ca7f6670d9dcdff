"""What handlers share, by typed keys and by strings. What type checkers say of it is in `test_handler_types`."""

import pytest

from hookline import Handlers, State, StateKey

NUMBERS = StateKey[list[int]]("numbers")


def test_key_leads_to_its_value() -> None:
    """Keys and strings work side by side, also where they have the same name."""
    state = Handlers().state
    state[NUMBERS] = [1]
    state["numbers"] = "one"
    assert (state[NUMBERS], state["numbers"]) == ([1], "one")
    assert state.get(NUMBERS) is state[NUMBERS]
    assert NUMBERS in state
    del state[NUMBERS]
    assert state.get(NUMBERS, []) == []
    assert state == {"numbers": "one"}


def test_keys_of_one_name_are_different() -> None:
    """Two modules that both call something a pool do not take each other's."""
    other = StateKey[list[int]]("numbers")
    state = State({NUMBERS: [1]})
    assert other not in state
    with pytest.raises(KeyError, match=r"StateKey\('numbers'\)"):
        state[other]
