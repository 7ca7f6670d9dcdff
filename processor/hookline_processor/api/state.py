"""State that handlers, middleware and hooks share, under typed keys or strings."""

from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
D = TypeVar("D")


class StateKey(Generic[T]):
    """A key of `State` with the type of its value. `name` is a string for messages; two keys with one name are different keys.

    >>> POOL = StateKey[Pool]("pool")
    >>> state[POOL] = await Pool.open()
    >>> context.state[POOL]  # a Pool, for the type checker too
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"StateKey({self.name!r})"


class State(dict[Any, Any]):
    """A dict shared by hooks, middleware and handlers. A value has the type of its `StateKey`, or `Any` under a string."""

    @overload
    def __getitem__(self, key: StateKey[T]) -> T: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key)

    @overload
    def __setitem__(self, key: StateKey[T], value: T) -> None: ...
    @overload
    def __setitem__(self, key: str, value: Any) -> None: ...
    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)

    @overload
    def get(self, key: StateKey[T], default: None = None, /) -> T | None: ...
    @overload
    def get(self, key: StateKey[T], default: D, /) -> T | D: ...
    @overload
    def get(self, key: str, default: Any = None, /) -> Any: ...
    def get(self, key: Any, default: Any = None, /) -> Any:
        """Return the value under `key`, or `default` if there is none."""
        return super().get(key, default)
