"""What handlers, middleware and hooks share, by typed keys or by strings."""

from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
D = TypeVar("D")


class StateKey(Generic[T]):
    """A key of `State` that knows the type of its value. Two keys of the same name are different keys.

    >>> POOL = StateKey[Pool]("pool")
    >>> state[POOL] = await Pool.open()
    >>> context.state[POOL]  # a Pool, for the type checker too
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"StateKey({self.name!r})"


class State(dict[Any, Any]):
    """A dict whose values have the type of their `StateKey`; those under plain strings are `Any`."""

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
        """Return what is kept under `key`, else `default`."""
        return super().get(key, default)
