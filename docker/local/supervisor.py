"""Watches running services, says when one has died, and starts it again."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from docker.local.service import Service, ServiceError

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
CALM_SECONDS = 120.0


def backoff(deaths: int) -> float:
    """Seconds to wait before the restart after so many deaths in a row: 1, 2, 4 … 60."""
    return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(deaths - 1, 10)))


@dataclass
class Watched:
    """A service under watch: deaths in a row, when it is next to be started, last good start."""

    service: Service
    deaths: int = 0
    restart_at: float | None = None
    running_since: float = 0.0

    @property
    def waiting(self) -> bool:
        """It is dead and its restart is due later."""
        return self.restart_at is not None


class Supervisor:
    """A thread that looks after services until it is closed; it does not stop them.

    `report` gets one text for each thing that happens, from the supervisor's own threads. A
    death comes with the last lines of the service's log. `recover`: what to do once a service
    has been started again, by its name; it says what it did. ServiceError is reported.
    """

    def __init__(
        self,
        services: Iterable[Service],
        report: Callable[[str], None],
        poll_seconds: float = 0.5,
        recover: Mapping[str, Callable[[], str]] | None = None,
    ) -> None:
        now = time.monotonic()
        self._watched = [Watched(service, running_since=now) for service in services]
        self._report = report
        self._recover = dict(recover or {})
        self._poll_seconds = poll_seconds
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(watched,), daemon=True)
            for watched in self._watched
        ]

    def __enter__(self) -> "Supervisor":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching. A restart that is under way is waited for."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def deaths(self) -> dict[str, int]:
        """Deaths in a row by service; 0 where all is well."""
        return {watched.service.name: watched.deaths for watched in self._watched}

    def _watch(self, watched: Watched) -> None:
        while not self._closing.wait(self._poll_seconds):
            now = time.monotonic()
            if watched.waiting:
                self._restart_if_due(watched, now)
            elif watched.service.process.find() is None:
                self._died(watched, now, "died")
            elif watched.deaths and now - watched.running_since > CALM_SECONDS:
                watched.deaths = 0

    def _died(self, watched: Watched, now: float, what: str) -> None:
        watched.deaths += 1
        delay = backoff(watched.deaths)
        watched.restart_at = now + delay
        self._report(
            f"{watched.service.name} {what}, starting it again in {delay:g} s\n"
            f"{watched.service.log_tail()}"
        )

    def _restart_if_due(self, watched: Watched, now: float) -> None:
        if watched.restart_at is None or now < watched.restart_at:
            return
        service = watched.service
        watched.restart_at = None
        try:
            seconds = service.start()
        except (ServiceError, OSError) as error:
            self._died(watched, time.monotonic(), f"did not start ({str(error).splitlines()[0]})")
            return
        watched.running_since = time.monotonic()
        self._report(f"{service.name} is back after {seconds:.1f} s")
        recover = self._recover.get(service.name)
        if recover is not None:
            try:
                self._report(recover())
            except ServiceError as error:
                self._report(str(error))
