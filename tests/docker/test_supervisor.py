"""The supervisor sees a death, tells the last log lines, and starts the service again."""

import os
import queue
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docker.local.process import Launch
from docker.local.service import NotReady, Service, ServiceError
from docker.local.settings import load
from docker.local.supervisor import Supervisor, backoff


class Sleeper(Service):
    """A small real service: it writes one line and stays."""

    name = "sleeper"
    program = "print('here I am', flush=True); import time; time.sleep(60)"
    start_seconds = 5

    @property
    def port(self) -> int:
        """It listens nowhere."""
        return 0

    def prepare(self) -> Launch:
        """Start this Python."""
        return Launch([sys.executable, "-c", self.program], {})

    def probe(self) -> str:
        """It is ready when its line is in the log."""
        if "here I am" not in self.process.last_lines():
            raise NotReady("no line yet")
        return "awake"


class Failing(Sleeper):
    """A service that dies at once."""

    name = "failing"
    program = "raise SystemExit('no configuration')"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    """A running sleeper."""
    service = Sleeper(load(market_streams_state=tmp_path))
    service.start()
    yield service
    service.process.stop(signal.SIGKILL, 5)


def test_killed_service_is_reported_and_started_again(sleeper: Sleeper) -> None:
    """kill -9 gives two reports: the death with its log, and the return with a new pid."""
    reports: queue.Queue[str] = queue.Queue()
    before = sleeper.process.find()
    assert before is not None
    with Supervisor([sleeper], reports.put, poll_seconds=0.05) as supervisor:
        os.kill(before.pid, signal.SIGKILL)
        death = reports.get(timeout=10)
        assert death.startswith("sleeper died, starting it again in 1 s")
        assert "| here I am" in death
        assert reports.get(timeout=10).startswith("sleeper is back after")
        assert supervisor.deaths() == {"sleeper": 1}
    after = sleeper.process.find()
    assert after is not None
    assert after.pid != before.pid


def test_what_its_death_has_cost_is_made_good(sleeper: Sleeper) -> None:
    """Once the service is back; what went wrong there is told too."""
    reports: queue.Queue[str] = queue.Queue()
    calls: list[str] = []

    def recover() -> str:
        calls.append("")
        if len(calls) == 2:
            raise ServiceError("no jobs today")
        return "2 jobs go on"

    recovery = {"sleeper": recover}
    with Supervisor([sleeper], reports.put, poll_seconds=0.05, recover=recovery):
        for told in ("2 jobs go on", "no jobs today"):
            process = sleeper.process.find()
            assert process is not None
            process.kill()
            said = [reports.get(timeout=10) for _ in range(3)]
            assert said[2] == told


def test_closed_supervisor_leaves_the_service_running(sleeper: Sleeper) -> None:
    """Watching ends without stopping what was watched."""
    with Supervisor([sleeper], print, poll_seconds=0.05):
        pass
    assert sleeper.health() == ("up", "awake")


def test_waits_grow_to_a_minute() -> None:
    """A service that dies again and again is started less and less often."""
    assert [backoff(deaths) for deaths in (1, 2, 3, 4, 7, 8, 1000)] == [1, 2, 4, 8, 60, 60, 60]


def test_start_of_a_dying_service_fails_with_its_log(tmp_path: Path) -> None:
    """What the service said last is in the error."""
    with pytest.raises(ServiceError, match=r"(?s)failing died while starting.*no configuration"):
        Failing(load(market_streams_state=tmp_path)).start()
