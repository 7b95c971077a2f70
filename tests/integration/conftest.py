"""Stacks of their own for the integration tests: real Kafka, PostgreSQL, Flink, Airflow."""

import fcntl
import json
import os
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from docker.local.service import ServiceError
from docker.local.settings import ROOT, StackSettings, load
from docker.local.stack import Stack

if TYPE_CHECKING:
    from tests.connectors.feed.scripted import ScriptedBinance

SHARED = "MARKET_STREAMS_TEST_STACK"
"""Variable that names the folder of a stack that several workers share; the runner sets it."""
LONGEST = ("test_time", "test_chaos", "test_orders", "test_proof", "test_jobs", "test_feed_outage")


class RunningStack(NamedTuple):
    """Where the services of the test session are."""

    bootstrap: str
    database_url: str
    flink_rest: str
    state: Path
    env: dict[str, str]
    """For subprocesses: the whole environment of this process with the stack's variables."""
    settings: StackSettings
    stack: Stack


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses at this moment."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def own_settings(state: Path, **values: object) -> StackSettings:
    """Settings of a stack in a temporary folder, with free ports, using what is installed."""
    ports = free_ports(8)
    return load(
        **{
            "market_streams_state": state,
            "market_streams_installed": load().installed,
            "kafka_port": ports[0],
            "kafka_controller_port": ports[1],
            "kafka_heap": "512m",
            "postgres_port": ports[2],
            "flink_rest_port": ports[3],
            "flink_rpc_port": ports[4],
            "airflow_port": ports[5],
            "flink_metrics_ports": f"{min(ports[6:])}-{min(ports[6:]) + 20}",
            **values,
        }
    )


@contextmanager
def market_stack(**values: object) -> Iterator[RunningStack]:
    """Kafka, PostgreSQL and Flink on free ports, in a temporary state folder; stopped at the end.

    `values`: settings other than the defaults.
    """
    with tempfile.TemporaryDirectory(prefix="market-streams-test-") as folder:
        settings = own_settings(Path(folder), **{"kafka_retention_check_ms": 500, **values})
        try:
            with known(start(settings)) as running:
                yield running
        finally:
            Stack(settings, ["market"]).clean()


def start(settings: StackSettings) -> StackSettings:
    """Start what is not running of Kafka, PostgreSQL and Flink."""
    with zone():
        try:
            Stack(settings, ["market"]).up(report=lambda line: print(line, file=sys.stderr))
        except ServiceError as error:
            pytest.fail(f"the stack did not start:\n{error}", pytrace=False)
    return settings


@contextmanager
def zone() -> Iterator[None]:
    """A zone with daylight saving time: whoever forgets UTC is found out, here and in clients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        yield


@contextmanager
def known(settings: StackSettings) -> Iterator[RunningStack]:
    """A running stack; its variables are set in this process too, for settings read here."""
    before = dict(os.environ)
    with zone():
        os.environ.update(settings.environment())
        try:
            yield RunningStack(
                bootstrap=settings.bootstrap,
                database_url=settings.database_url,
                flink_rest=settings.flink_rest,
                state=settings.market_streams_state,
                env={**os.environ, "FLINK_SLOTS": str(settings.flink_slots)},
                settings=settings,
                stack=Stack(settings, ["market"]),
            )
        finally:
            for name in settings.environment():
                os.environ.pop(name, None)
            os.environ.update(before)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """Kafka, PostgreSQL and Flink, for all tests of a session, and of all workers of a run."""
    if SHARED not in os.environ:
        with market_stack() as running:
            yield running
        return
    folder = Path(os.environ[SHARED])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = start(shared_settings(folder))
    with known(settings) as running:
        yield running


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """A running broker: MARKET_STREAMS_TEST_KAFKA, or that of the stack."""
    given = os.environ.get("MARKET_STREAMS_TEST_KAFKA")
    return given or str(request.getfixturevalue("stack").bootstrap)


@pytest.fixture
async def exchange() -> AsyncIterator["ScriptedBinance"]:
    """A scripted exchange of this test alone."""
    from tests.connectors.feed.scripted import scripted_binance

    async with scripted_binance() as scripted:
        yield scripted


def shared_settings(folder: Path) -> StackSettings:
    """Settings of the stack that workers share: the first one chooses the ports."""
    kept = folder / "settings.json"
    if not kept.exists():
        chosen = own_settings(folder / "stack", kafka_retention_check_ms=500, flink_slots=16)
        kept.write_text(chosen.model_dump_json())
    return load(**json.loads(kept.read_text()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first, so that no worker begins them when the other is done."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


class RunningAirflow(NamedTuple):
    """Airflow with a PostgreSQL of its own."""

    url: str
    passwords: dict[str, str]
    """By user: admin, viewer."""
    env: dict[str, str]
    """For subprocesses: the environment of this process with that of Airflow's services on top."""
    settings: StackSettings
    stack: Stack
    upstream_port: int
    """Where the services look for Yahoo and JPX; a test puts the simulator there."""

    def call(
        self, method: str, path: str, body: object = None, user: str = "admin"
    ) -> tuple[int, Any]:
        """Status and JSON of one request to Airflow's API as a user; an error is no exception."""
        login = {"username": user, "password": self.passwords[user]}
        _, answer = request(f"{self.url}/auth/token", "POST", login)
        return request(self.url + path, method, body, answer["access_token"])


def request(url: str, method: str, body: object, token: str = "") -> tuple[int, Any]:
    """Status and JSON (or text) of one request."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


@contextmanager
def airflow_with(
    dags: Path, variables: Mapping[str, str], parallelism: int = 4, dead_after: int = 60
) -> Iterator[RunningAirflow]:
    """PostgreSQL and Airflow on free ports, in a temporary state folder; stopped at the end.

    What is silent for `dead_after` seconds is taken for dead: with a few seconds only, a busy
    machine has its living tasks started again and again. A new DAG is seen after 2 s, and stocks
    come from `upstream_port` of this machine, never from outside.
    """
    with tempfile.TemporaryDirectory(prefix="market-streams-test-") as folder:
        settings = own_settings(
            Path(folder),
            airflow_dags=dags,
            airflow_dead_after=dead_after,
            airflow_dag_refresh=2,
            airflow_parallelism=parallelism,
        )
        (port,) = free_ports(1)
        upstream = f"http://127.0.0.1:{port}"
        given = {
            "YAHOO_BASE_URL": upstream,
            "JPX_LISTING_URL": f"{upstream}/jpx/data_j.xlsx",
            "JPX_MIN_ROWS": "1",
            **variables,
        }
        stack = Stack(settings, ["batch"], given)
        try:
            stack.up(report=lambda line: print(line, file=sys.stderr))
            yield RunningAirflow(
                url=settings.airflow_url,
                passwords=json.loads(settings.airflow_passwords.read_text()),
                env={**os.environ, **settings.environment(), **given},
                settings=settings,
                stack=stack,
                upstream_port=port,
            )
        except ServiceError as error:
            pytest.fail(f"Airflow did not start:\n{error}", pytrace=False)
        finally:
            stack.clean()


@pytest.fixture(scope="session")
def airflow() -> Iterator[RunningAirflow]:
    """Airflow with our own DAGs, for all tests of a session."""
    with airflow_with(ROOT / "dags", {}) as running:
        yield running
