"""Groups of services, and what is started after what; no service is started here."""

from pathlib import Path

import pytest

from docker.local.defaults import GROUPS, LISTENERS, MEMORY_GIB
from docker.local.process import Launch
from docker.local.service import NotReady, Service, ServiceError
from docker.local.settings import StackSettings, load
from docker.local.stack import STOP_ORDER, Stack


class Step(Service):
    """A service that runs as soon as it is started, unless it is `broken`."""

    def __init__(
        self, settings: StackSettings, name: str, broken: bool = False, after: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        super().__init__(settings)
        self.broken = broken
        self.after = after
        self.begun = False

    @property
    def port(self) -> int:
        """It listens nowhere."""
        return 0

    def prepare(self) -> Launch:
        """Never asked for: `start` is our own."""
        raise NotImplementedError

    def probe(self) -> str:
        """Whether it was started."""
        if not self.begun:
            raise NotReady("not begun")
        return "here"

    def start(self) -> float:
        """Note the start."""
        if self.broken:
            raise ServiceError("it is broken")
        self.begun = True
        return 0.0


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """All services, in an empty folder."""
    return Stack(load(market_streams_state=tmp_path))


def names(services: tuple[Service, ...]) -> list[str]:
    """Names in their order."""
    return [service.name for service in services]


def test_every_service_is_in_a_group_and_has_its_place_in_the_stop(stack: Stack) -> None:
    """No service can be forgotten by `up`, `down` or the doctor."""
    grouped = {name for group in GROUPS.values() for name in group}
    assert set(names(stack.services)) == grouped == set(STOP_ORDER)
    assert set(LISTENERS) <= grouped
    assert set(MEMORY_GIB) == set(GROUPS)


def test_stack_of_a_group_has_only_its_services(tmp_path: Path) -> None:
    """The demo does not touch Airflow."""
    stack = Stack(load(market_streams_state=tmp_path), ["market"])
    assert names(stack.services) == ["kafka", "postgres", "jobmanager", "taskmanager"]
    assert names(stack.stop_order()) == ["taskmanager", "jobmanager", "kafka", "postgres"]


def test_a_named_service_brings_what_it_comes_after(stack: Stack) -> None:
    """Airflow needs its database; a group's name means its services; no name means all."""
    assert names(stack.choose(["airflow-scheduler"])) == ["postgres", "airflow-scheduler"]
    assert names(stack.choose(["market", "kafka"])) == list(GROUPS["market"])
    assert stack.choose([]) == stack.services


def test_unknown_name_lists_the_known_ones(stack: Stack, tmp_path: Path) -> None:
    """A misspelt name tells which there are."""
    with pytest.raises(ServiceError, match=r"no service 'kafak': choose one of kafka, postgres"):
        stack.choose(["kafak"])
    with pytest.raises(ServiceError, match=r"no group 'markets': choose one of market, batch"):
        Stack(load(market_streams_state=tmp_path), ["markets"])


def test_what_comes_after_a_broken_service_is_not_started(stack: Stack) -> None:
    """Both failures are told, each with its own reason; the others are started."""
    first = Step(stack.settings, "first", broken=True)
    second = Step(stack.settings, "second", after=("first",))
    other = Step(stack.settings, "other")
    stack.services = (first, second, other)
    with pytest.raises(ServiceError) as caught:
        stack.up(report=lambda line: None)
    assert sorted(str(caught.value).splitlines()) == [
        "first: it is broken",
        "second: not started, since it needs first",
    ]
    assert other.begun
    assert not second.begun


def test_services_of_a_stack_come_after_those_they_need(stack: Stack) -> None:
    """The order of the services is one in which each finds what it needs already begun."""
    seen: set[str] = set()
    for service in stack.services:
        assert set(service.after) <= seen
        seen.add(service.name)
