"""The errors of the benchmark."""

from hookline_shared.errors import HooklineError


class BenchError(HooklineError):
    """Something could not be measured; the message says what and why."""


class ChildDiedError(BenchError):
    """A process of the benchmark ended by itself. `log` is the end of what it wrote."""

    def __init__(self, name: str, code: int, log: str) -> None:
        self.code = code
        super().__init__(f"{name} ended by itself with exit code {code}. The end of its output:\n{log or '(nothing)'}")


class TooSlowError(BenchError):
    """A condition was not met in time. `log` is the end of what the process wrote."""

    def __init__(self, what: str, seconds: float, log: str) -> None:
        super().__init__(f"{what} within {seconds:g} s. The end of its output:\n{log or '(nothing)'}")


class NoAnswerError(BenchError):
    """A server under load answered not one request with a 2xx. `log` is the end of what it or the load wrote."""

    def __init__(self, name: str, failures: dict[str, int], log: str) -> None:
        told = ", ".join(f"{count} times {status}" for status, count in failures.items()) or "nothing at all"
        super().__init__(f"{name} accepted no request; the load saw {told}. The end of the output:\n{log or '(nothing)'}")
