"""The errors that users see. Each message says what happened, what it means, and what to do."""


class HooklineError(Exception):
    """The base of all errors that Hookline raises on purpose; shown as one line, without a traceback."""


class SettingsError(HooklineError):
    """Some settings are missing or wrong; `problems` has one line for each, naming the setting and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{len(problems)} setting{'s' * (len(problems) != 1)} to fix before this can start:{lines}")


class PortTakenError(HooklineError):
    """Another program listens on the port of this service. `setting` is the prefix of its address settings."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(
            f"Port {port} on {host} is in use by another program, so nothing was started. "
            f"Stop that program, or choose another port with {setting}_PORT."
        )


class AddressError(HooklineError):
    """This machine cannot listen on the configured address. `setting` is as in `PortTakenError`."""

    def __init__(self, host: str, port: int, setting: str, reason: str) -> None:
        super().__init__(
            f"Cannot listen on {host}, port {port}: {reason}. Nothing was started. "
            f"Set {setting}_HOST to an address of this machine and {setting}_PORT to a port that you may use."
        )


class LayoutMismatchError(HooklineError):
    """The data in Redis has another number of partitions or another schema than this service uses."""

    def __init__(self, name: str, found: str, expected: str, remedy: str) -> None:
        super().__init__(f"Redis holds data with {name}={found}, but this service has {name}={expected}. {remedy}")


class UndecodableError(HooklineError):
    """A stream entry is not an event of a schema that this version can read."""


class BrokerUnavailableError(HooklineError):
    """Redis did not answer in time, refused the command, or cannot be reached. `code` is the error code of Redis, or empty."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


class CommandRefusedError(BrokerUnavailableError):
    """Redis refused the content of the command; sent again, it would be refused again."""


class WritesRefusedError(BrokerUnavailableError):
    """Redis answers, but accepts no writes: it lacks memory, disk or replicas, is a replica, or the user may not write."""


class FencedError(BrokerUnavailableError):
    """Another processor owns the partition now, so nothing was done."""


class GroupMissingError(HooklineError):
    """A consumer group is missing in Redis: it was flushed, or lost in a failover."""


class TaskDiedError(HooklineError):
    """A supervised background task ended although the service was not stopping."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The background task {name!r} ended unexpectedly, so the service stops instead of running without it."
        )
