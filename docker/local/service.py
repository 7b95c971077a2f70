"""What every service of the local stack has in common: start, readiness, stop."""

import os
import shutil
import signal
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path

import psutil

from docker.local.process import STOPPED, Launch, ManagedProcess
from docker.local.settings import HOST, StackSettings

LOG_LINES = 15
POLL_SECONDS = 0.1


class NotReady(Exception):
    """The service does not answer (yet). The text says what it lacks."""


class ServiceError(Exception):
    """A service could not be started or stopped. The text holds the reason and the remedy."""


class Service(ABC):
    """A service is one process, its configuration, and a real request that proves its health."""

    name: str
    stop_seconds: float = 20
    start_seconds: float = 60
    listens: bool = True
    """Whether the process itself listens on ``port``."""
    after: tuple[str, ...] = ()
    """Names of services that must answer before this one is started."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.process = ManagedProcess(self.name, settings.market_streams_state)

    @property
    @abstractmethod
    def port(self) -> int:
        """Port that clients use."""

    @abstractmethod
    def prepare(self) -> Launch:
        """Write the configuration and say how to start the process."""

    @abstractmethod
    def probe(self) -> str:
        """Ask the service a real question; return a few words about it. NotReady if it fails."""

    def started(self) -> None:  # noqa: B027 - most services need nothing
        """What is to be done once the service answers; may happen again on a running one."""

    def clean(self) -> None:  # noqa: B027 - most services need nothing
        """Remove what lies outside the state folder. The process is stopped by then."""

    def start(self) -> float:
        """Start the process unless it runs, wait until it answers; return the seconds it took.

        ServiceError with the end of the log if it dies or does not answer in time.
        """
        begun = time.monotonic()
        if self.process.find() is None:
            self.process.sweep()
            self.refuse_taken_port()
            self.process.start(self.prepare())
        self.wait_ready(begun + self.start_seconds)
        self.started()
        return time.monotonic() - begun

    def refuse_taken_port(self) -> None:
        """ServiceError where somebody else listens on our port: it would answer in our place."""
        if not self.listens:
            return
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, self.port)) == 0:
                raise ServiceError(
                    f"port {self.port} is taken by another process: stop that, or choose another "
                    f"port (see .env.example)"
                )

    def wait_ready(self, deadline: float) -> None:
        """Poll the probe until the monotonic deadline."""
        while True:
            try:
                self.probe()
                return
            except NotReady as error:
                reason = str(error)
            if self.process.find() is None:
                raise ServiceError(f"{self.name} died while starting\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{self.name} does not answer after {self.start_seconds:g} s ({reason})\n"
                    f"{self.log_tail()}"
                )
            time.sleep(POLL_SECONDS)

    def stop(self) -> str:
        """Stop the process and say how that went."""
        result = self.process.stop(self.stop_signal, self.stop_seconds)
        self.stopped(cleanly=result == STOPPED)
        return result

    def stopped(self, cleanly: bool) -> None:  # noqa: B027 - most services need nothing
        """Called after a stop, which was either clean or a kill (or nothing had run)."""

    @property
    def stop_signal(self) -> signal.Signals:
        """Signal for a clean end."""
        return signal.SIGTERM

    def health(self) -> tuple[str, str]:
        """(`up`, detail), (`starting`, what is missing) or (`down`, '')."""
        if self.process.find() is None:
            return "down", ""
        try:
            return "up", self.probe()
        except NotReady as error:
            return "no answer", str(error)

    def memory(self) -> int:
        """Resident memory of the process and its children, in bytes; shared pages count once
        for each process."""
        process = self.process.find()
        if process is None:
            return 0
        total = 0
        for each in [process, *children(process)]:
            try:
                total += int(each.memory_info().rss)
            except psutil.Error:
                continue
        return total

    def log_tail(self) -> str:
        """End of the log, indented, with the name of its file."""
        lines = "\n".join(f"  | {line}" for line in self.process.last_lines(LOG_LINES))
        return f"  last lines of {self.process.log_file}:\n{lines}"


def children(process: psutil.Process) -> list[psutil.Process]:
    """All descendants; none if the process has ended meanwhile."""
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def java() -> Path:
    """The `java` of JAVA_HOME, or else of PATH. ServiceError if there is none."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise ServiceError("java is not there: run `make doctor`")
    return Path(found)
