"""What all servers share that tests start."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class RunningServer(ABC):
    """One server, or several that belong together. As a context manager it starts and closes."""

    @abstractmethod
    def start(self) -> Self:
        """Start, and wait until it answers."""

    @abstractmethod
    def close(self) -> None:
        """Stop, and remove everything."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
