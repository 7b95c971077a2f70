"""All services of the local stack together."""

import fcntl
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import NamedTuple

from docker.local.airflow import ApiServer, DagProcessor, Scheduler, Triggerer
from docker.local.defaults import GROUPS
from docker.local.flink import JobManager, TaskManager
from docker.local.kafka import Kafka
from docker.local.postgres import Postgres
from docker.local.process import ManagedProcess, names_running
from docker.local.service import Service, ServiceError
from docker.local.settings import StackSettings

LEFTOVER_SECONDS = 10
STOP_ORDER = (
    *("airflow-scheduler", "airflow-triggerer", "airflow-processor", "airflow-api"),
    *("taskmanager", "jobmanager", "kafka", "postgres"),
)
WIDTH = max(len(name) for name in STOP_ORDER)
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
    """The services of some groups (default: of all), in the order in which they are shown.

    `variables` are added to the environment of Airflow's processes.
    """

    def __init__(
        self,
        settings: StackSettings,
        groups: Iterable[str] = tuple(GROUPS),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        wanted = members(groups)
        self.services: tuple[Service, ...] = tuple(
            service
            for service in (
                Kafka(settings),
                Postgres(settings),
                JobManager(settings),
                TaskManager(settings),
                ApiServer(settings, variables),
                Scheduler(settings, variables),
                DagProcessor(settings, variables),
                Triggerer(settings, variables),
            )
            if service.name in wanted
        )

    def service(self, name: str) -> Service:
        """The service of this name. ServiceError names those that exist."""
        for service in self.services:
            if service.name == name:
                return service
        names = ", ".join(service.name for service in self.services)
        raise ServiceError(f"there is no service {name!r}: choose one of {names}")

    def choose(self, names: Collection[str]) -> tuple[Service, ...]:
        """Services by their names and those of groups, with what they come after; none named: all.

        ServiceError names those that exist.
        """
        if not names:
            return self.services
        wanted = {name for name in names if name not in GROUPS}
        wanted |= members(name for name in names if name in GROUPS)
        for name in list(wanted):
            wanted.update(self.service(name).after)
        return tuple(service for service in self.services if service.name in wanted)

    def up(self, names: Collection[str] = (), report: Report = print) -> float:
        """Start what does not run, all at the same time; return when every service answers.

        `names` of services and groups, none: all. Returns the seconds it took. ServiceError
        holds the reasons of all that failed.
        """
        begun = time.monotonic()
        chosen = self.choose(names)
        with self._alone():
            failures = self._start_all(chosen, report)
        if failures:
            raise ServiceError("\n".join(failures))
        return time.monotonic() - begun

    def _start_all(self, services: Collection[Service], report: Report) -> list[str]:
        width = max(len(service.name) for service in services)
        failures = []
        starts: dict[str, Future[float]] = {}
        with ThreadPoolExecutor(len(services)) as pool:
            running = {service.name: service.process.find() for service in services}
            for service in services:  # what others come after is among the first
                waited = [starts[name] for name in service.after if name in starts]
                starts[service.name] = pool.submit(start_after, service, waited)
            names = {start: name for name, start in starts.items()}
            for start in as_completed(names):
                service = self.service(names[start])
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

    def down(self, names: Collection[str] = (), report: Report = print) -> None:
        """Stop services, readers of data before those that hold it; no names: all.

        Before them, if all are meant, goes whatever else was started on this state folder and
        was left behind.
        """
        state = self.settings.market_streams_state
        known = {name for group in GROUPS.values() for name in group}
        with self._alone():
            for name in names_running(state) if not names else ():
                if name not in known:
                    end = ManagedProcess(name, state).stop(signal.SIGTERM, LEFTOVER_SECONDS)
                    report(f"{name:<{WIDTH}}  {end}")
            for service in self.stop_order():
                if not names or service.name in names:
                    report(f"{service.name:<{WIDTH}}  {service.stop()}")

    def stop_order(self) -> tuple[Service, ...]:
        """What writes before what is written to; a task reports its end to Airflow's API."""
        return tuple(sorted(self.services, key=lambda service: STOP_ORDER.index(service.name)))

    def clean(self) -> None:
        """Stop everything and remove what lies outside the state folder."""
        self.down(report=lambda line: None)
        for service in self.services:
            service.clean()

    def status(self, names: Collection[str] = ()) -> list[Status]:
        """What each service is doing now, or just those named."""
        rows = []
        for service in self.choose(names):
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


def members(groups: Iterable[str]) -> set[str]:
    """Names of the services of these groups. ServiceError for a group that does not exist."""
    try:
        return {name for group in groups for name in GROUPS[group]}
    except KeyError as error:
        known = ", ".join(GROUPS)
        raise ServiceError(f"there is no group {error}: choose one of {known}") from None


def start_after(service: Service, others: Iterable[Future[float]]) -> float:
    """Start a service once the others answer; ServiceError if one of them could not be started.

    Returns the seconds its own start took.
    """
    for other in others:
        try:
            other.result()
        except (ServiceError, OSError):
            after = ", ".join(service.after)
            raise ServiceError(f"not started, since it needs {after}") from None
    return service.start()
