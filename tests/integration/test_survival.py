"""Jobs through the deaths of everything they run on, in mid-stream, judged by the ledgers.

The cluster has no high availability: checkpoints are kept, and what was wanted is submitted again
from the newest complete one.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from docker.local import jobs
from docker.local.settings import ROOT
from docker.local.supervisor import Supervisor
from tests.integration.conftest import RunningStack, market_stack
from tests.integration.job_stage import Stage, until
from tests.integration.market import Market, running_market
from tests.integration.order_oracle import Oracle

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]
NAME = "survival"
JOBS = ("bars", "settlements")
ORDERS = "--for 1h --rate 5 --speed 20x --seed 11 --quiet 5m --corrupt 0.01"


class World(NamedTuple):
    """A stack of this test's own, with a market and orders coming in."""

    stack: RunningStack
    market: Market
    stage: Stage
    orders: Path
    """Ledger of the payments."""
    generator: subprocess.Popen[bytes]

    def kill(self, service: str) -> None:
        """End a service as a power cut would."""
        process = self.stack.stack.service(service).process.find()
        assert process is not None
        process.kill()
        process.wait(10)

    def bars(self) -> int:
        """Rows of one-minute bars so far."""
        return len(self.stage.rows("bars_1m"))

    def goes_on(self, what: str) -> float:
        """Wait for bars that are new; the seconds it took."""
        before, begun = self.bars(), time.monotonic()
        until(lambda: self.bars() > before, f"bars after {what}", 180)
        return time.monotonic() - begun


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything up, and jobs whose first windows have closed."""
    ledger = tmp_path_factory.mktemp("orders") / "ledger.jsonl"
    options = {"--speed": 10, "--start": "2026-03-02T10:00:00Z", "--trades": 60_000}
    with (
        pytest.MonkeyPatch.context() as patch,
        market_stack(flink_checkpoint_interval="3 s") as stack,
        running_market(stack, NAME, options, symbols=6, rate=10, REPLAY_SPEED="10") as market,
    ):
        stage = Stage(stack, patch, NAME)
        python = stack.settings.installed / "venv/dev/bin/python"
        words = [*ORDERS.split(), "--start", "2026-03-02T10:00:00Z", "--ledger", str(ledger)]
        generator = subprocess.Popen(
            [str(python), "-m", "connectors", "simulate-orders", *words],
            cwd=ROOT,
            env=market.environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            market.submit(*JOBS)
            until(lambda: len(stage.rows("bars_1m")) > 0, "the first bars")
            yield World(stack, market, stage, ledger, generator)
        finally:
            generator.kill()
            generator.wait(10)


def test_windows_equal_the_oracle_after_every_kind_of_death(world: World) -> None:
    """TaskManager, JobManager, PostgreSQL, and a stop in good order, each in mid-stream."""
    took = {}
    names = {"TOPIC_PREFIX": f"{NAME}.", "ANALYTICS_SCHEMA": NAME}
    recover = {"jobmanager": lambda: jobs.resume(world.stack.settings, names)}
    said: list[str] = []
    with Supervisor(world.stack.stack.services, said.append, recover=recover):
        for service in ("taskmanager", "jobmanager", "postgres"):
            world.kill(service)
            time.sleep(5)  # what died is seen, and rows on their way have arrived
            until(lambda: world.stack.stack.service("postgres").health()[0] == "up", "PostgreSQL")
            world.stage.connect()
            took[service] = world.goes_on(f"the death of {service}")
    assert sum(text.count("goes on") for text in said) == len(JOBS), said

    assert world.market.flink("suspend").count("STOPPED") == len(JOBS)
    world.stack.stack.down(["taskmanager", "jobmanager"], report=print)
    world.stack.stack.up(["taskmanager", "jobmanager"], report=print)
    assert world.market.flink("resume").count("goes on") == len(JOBS)
    took["a stop"] = world.goes_on("the stop")
    print("seconds until new bars:", {what: round(s, 1) for what, s in took.items()})

    world.market.wait_finished()
    world.market.stop_feeds()
    results = world.market.compare(timeout=120, models=["bars_1m", "moving_average_1h_10m"])
    assert all(result.rows and not result.differences for result in results), results


def test_alerts_may_repeat_but_their_ids_do_not(world: World) -> None:
    """The same id is the same alert, and the table holds what the topic holds last."""
    rows = {row["alert_id"]: row for row in world.stage.rows("alerts")}
    told: dict[str, set[tuple[Any, ...]]] = {}
    for row in world.stage.read("alerts"):
        told.setdefault(row["alert_id"], set()).add((row["rule_id"], row["subject"]))
    assert all(len(meanings) == 1 for meanings in told.values())
    assert set(told) == set(rows)


def test_payments_are_settled_once_each(world: World) -> None:
    """Of those committed none is missing and none is double, whatever died between."""
    assert world.generator.wait(300) == 0
    oracle = Oracle(world.orders)
    wanted = {entry["fields"]["payment_id"] for entry in oracle.sound("payments")}

    def settled() -> list[str]:
        return [row["payment_id"] for row in world.stage.read("analytics.payments_settled")]

    until(lambda: len(settled()) >= len(wanted), "all payments", 120)
    time.sleep(5)  # a double one would be committed with the next checkpoint
    found = settled()
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_what_only_appends_is_never_written_again_unasked(world: World) -> None:
    """Cancelled, it has no state to go on from: a whole second copy is refused with the way out."""
    world.market.flink("cancel", "settlements")
    try:
        with pytest.raises(AssertionError, match=r"(?s)appends.*--from TIME"):
            world.market.flink("submit", "settlements")
    finally:
        world.market.jobs.remove("settlements")


def test_the_stack_takes_its_jobs_through_down_and_up(world: World) -> None:
    """`down` stops them with savepoints, `up` starts those that were wanted."""
    before = world.stage.rows("bars_1m")
    command = [sys.executable, "-m", "docker.stack"]
    for word in ("down", "up"):
        groups = ["market"] if word == "up" else []
        done = subprocess.run(
            [*command, word, *groups],
            cwd=ROOT,
            env=world.market.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = "STOPPED" if word == "down" else "goes on"
        assert done.stdout.count(told) == 1, done.stdout
    world.stage.connect()
    assert sorted(map(str, world.stage.rows("bars_1m"))) == sorted(map(str, before))
