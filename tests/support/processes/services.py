"""Service processes that are ended with their test."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.processes.service_process import PROCESSOR_PORTS, ServiceProcess


class Services:
    """Makes service processes in `folder`, not yet started: see `ServiceProcess`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[ServiceProcess] = []

    def ingress(self, settings: Mapping[str, str]) -> ServiceProcess:
        """Make an ingress."""
        return self._keep(ServiceProcess.ingress(settings, self._folder))

    def processor(self, settings: Mapping[str, str], *, forked: bool = True) -> ServiceProcess:
        """Make a processor; one that is not `forked` is started from nothing."""
        if not forked:
            return self._keep(ServiceProcess(["-m", "hookline_processor"], PROCESSOR_PORTS, settings, self._folder))
        return self._keep(ServiceProcess.processor(settings, self._folder))

    async def close(self) -> None:
        """End all processes."""
        for service in self._made:
            await service.close()

    def _keep(self, service: ServiceProcess) -> ServiceProcess:
        self._made.append(service)
        return service
