"""A stack of its own for the integration tests: real Kafka, PostgreSQL and Flink."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from docker.local.service import ServiceError
from docker.local.settings import StackSettings, load
from docker.local.stack import Stack


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
    ports = free_ports(7)
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
            "flink_metrics_ports": f"{min(ports[5:])}-{min(ports[5:]) + 20}",
            **values,
        }
    )


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """All services on free ports, in a temporary state folder; stopped at the end.

    The variables are also set in this process, so that settings read here find this stack.
    """
    with tempfile.TemporaryDirectory(prefix="market-streams-test-") as folder:
        settings = own_settings(Path(folder), kafka_retention_check_ms=500)
        running = Stack(settings)
        before = dict(os.environ)
        # A zone with daylight saving time: whoever forgets UTC is found out, here and in clients.
        os.environ["TZ"] = "America/New_York"
        try:
            running.up(report=lambda line: print(line, file=sys.stderr))
            os.environ.update(settings.environment())
            yield RunningStack(
                bootstrap=settings.bootstrap,
                database_url=settings.database_url,
                flink_rest=settings.flink_rest,
                state=settings.market_streams_state,
                env=dict(os.environ),
                settings=settings,
                stack=running,
            )
        except ServiceError as error:
            pytest.fail(f"the stack did not start:\n{error}", pytrace=False)
        finally:
            for name in settings.environment():
                os.environ.pop(name, None)
            os.environ.update(before)
            running.clean()
