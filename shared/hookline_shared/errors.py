"""The errors a person can meet. Each message says what happened, what it means, and what to do."""


class HooklineError(Exception):
    """Base of every error that Hookline raises on purpose; printed as one line, without a traceback."""


class SettingsError(HooklineError):
    """Some settings are missing or wrong; `problems` has one line for each, naming the setting and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{len(problems)} setting{'s' * (len(problems) != 1)} to fix before this can start:{lines}")


class PortTakenError(HooklineError):
    """Another program listens where this service should. `setting` is what the names of its address settings begin with."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(
            f"Port {port} on {host} is in use by another program, so nothing was started. "
            f"Stop that program, or choose another port with {setting}_PORT."
        )


class AddressError(HooklineError):
    """This machine cannot listen at the address it was given. `setting` is as in `PortTakenError`."""

    def __init__(self, host: str, port: int, setting: str, reason: str) -> None:
        super().__init__(
            f"Cannot listen on {host}, port {port}: {reason}. Nothing was started. "
            f"Set {setting}_HOST to an address of this machine and {setting}_PORT to a port that you may use."
        )


class LayoutMismatchError(HooklineError):
    """The data in Redis was laid out with other partitions or another schema than this service would use."""

    def __init__(self, name: str, found: str, expected: str, remedy: str) -> None:
        super().__init__(f"Redis holds data with {name}={found}, but this service has {name}={expected}. {remedy}")


class UndecodableError(HooklineError):
    """A stream entry is not an event of a schema that this version reads."""


class BrokerUnavailableError(HooklineError):
    """Redis did not answer in time, refused the command, or cannot be reached. `code` is that of its refusal, else empty."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


class CommandRefusedError(BrokerUnavailableError):
    """Redis understood the command and refused it for what is in it; sent again, it would be refused again."""


class WritesRefusedError(BrokerUnavailableError):
    """Redis answers, but takes no writes now: it lacks memory, disk or replicas, is a replica itself, or we lack the right."""


class FencedError(BrokerUnavailableError):
    """Another processor has taken the partition, so what this one did with it does not count."""


class GroupMissingError(HooklineError):
    """A consumer group is gone from Redis: somebody flushed it, or a failover lost it."""


class TaskDiedError(HooklineError):
    """A supervised background task ended although the service was not stopping."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The background task {name!r} ended unexpectedly, so the service stops instead of running without it."
        )
