"""All services of the local stack together."""

import fcntl
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import NamedTuple

from docker.local.flink import JobManager, TaskManager
from docker.local.kafka import Kafka
from docker.local.postgres import Postgres
from docker.local.process import ManagedProcess, names_running
from docker.local.service import Service, ServiceError
from docker.local.settings import StackSettings

LEFTOVER_SECONDS = 10
Report = Callable[[str], None]


class Status(NamedTuple):
    """One row of `status`: memory in bytes, pid None if there is no process."""

    service: str
    pid: int | None
    port: int
    health: str
    detail: str
    memory: int


class Stack:
    """The services, in the order in which they are shown."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.services: tuple[Service, ...] = (
            Kafka(settings),
            Postgres(settings),
            JobManager(settings),
            TaskManager(settings),
        )

    def service(self, name: str) -> Service:
        """The service of this name. ServiceError names those that exist."""
        for service in self.services:
            if service.name == name:
                return service
        names = ", ".join(service.name for service in self.services)
        raise ServiceError(f"there is no service {name!r}: choose one of {names}")

    def up(self, report: Report = print) -> float:
        """Start what does not run, all at the same time; return when every service answers.

        Returns the seconds it took. ServiceError holds the reasons of all that failed.
        """
        begun = time.monotonic()
        with self._alone():
            failures = self._start_all(report)
        if failures:
            raise ServiceError("\n".join(failures))
        return time.monotonic() - begun

    def _start_all(self, report: Report) -> list[str]:
        width = max(len(service.name) for service in self.services)
        failures = []
        with ThreadPoolExecutor(len(self.services)) as pool:
            running = {service.name: service.process.find() for service in self.services}
            starts = {pool.submit(service.start): service for service in self.services}
            for start in as_completed(starts):
                service = starts[start]
                try:
                    seconds = start.result()
                except (ServiceError, OSError) as error:
                    failures.append(f"{service.name}: {error}")
                    report(f"{service.name:<{width}}  FAILED")
                    continue
                verb = "ready" if running[service.name] is None else "runs already"
                detail = service.health()[1]
                where = f"port {service.port}"
                report(f"{service.name:<{width}}  {verb} in {seconds:4.1f} s  {where}  {detail}")
        return failures

    def down(self, report: Report = print) -> None:
        """Stop all services, readers of data before those that hold it.

        Before them goes whatever else was started on this state folder and was left behind.
        """
        state = self.settings.market_streams_state
        known = {service.name for service in self.services}
        with self._alone():
            for name in names_running(state):
                if name not in known:
                    end = ManagedProcess(name, state).stop(signal.SIGTERM, LEFTOVER_SECONDS)
                    report(f"{name:<11}  {end}")
            for service in self.stop_order():
                report(f"{service.name:<11}  {service.stop()}")

    def stop_order(self) -> tuple[Service, ...]:
        """TaskManager, JobManager, Kafka, PostgreSQL."""
        names = ("taskmanager", "jobmanager", "kafka", "postgres")
        return tuple(self.service(name) for name in names)

    def clean(self) -> None:
        """Stop everything and remove what lies outside the state folder."""
        self.down(report=lambda line: None)
        for service in self.services:
            service.clean()

    def status(self) -> list[Status]:
        """What each service is doing now."""
        rows = []
        for service in self.services:
            process = service.process.find()
            health, detail = service.health()
            pid = process.pid if process else None
            rows.append(Status(service.name, pid, service.port, health, detail, service.memory()))
        return rows

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one `up` or `down` at a time for one state folder; the others wait."""
        run = self.settings.market_streams_state / "run"
        run.mkdir(parents=True, exist_ok=True)
        with (run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
