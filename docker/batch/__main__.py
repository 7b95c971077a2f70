"""`make batch`: every listed stock by Airflow, live progress, and a comparison with the source.

The real DAG on the real stack; only Yahoo and JPX are local and speak their protocols. The status
is 0 only if the run succeeded and what is stored is exactly what was served. Ctrl-C stops the
batch; `make batch RESUME=1` goes on with it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markdown import Markdown

from docker.batch.check import compare
from docker.batch.rest import DAG_ID, Airflow, Run
from docker.batch.settings import BatchDemoSettings
from docker.batch.tables import Tables
from docker.batch.upstream import Upstream
from docker.batch.view import BatchState, clock, plain, screen
from docker.local.defaults import GROUPS
from docker.local.service import NotReady, ServiceError
from docker.local.settings import ROOT, SettingsError, load
from docker.local.stack import Stack
from docker.local.supervisor import Supervisor
from docker.local.terminal import interrupts, terminal_of_our_own

AIRFLOW = frozenset(name for name in GROUPS["batch"] if name.startswith("airflow-"))
ENDED = ("success", "failed")
LOOK_SECONDS = 1.0
PLAIN_SECONDS = 10
STOP_SECONDS = 60
INTERRUPTED = 130
PREFIX = "make_batch__"
"""Of Airflow's runs that are ours."""


class BatchDemo:
    """One run, in the order of its methods."""

    def __init__(self, demo: BatchDemoSettings, console: Console) -> None:
        self.settings = load()
        self.demo = demo
        self.console = console
        self.upstream = Upstream(self.settings, demo)
        self.stack = Stack(self.settings, ["batch"], self.variables())
        self.tables = Tables(self.settings, demo.batch_schema)
        self.state = BatchState()
        self.ended = threading.Event()
        self.found: set[str] = set()
        """Services that ran before."""
        self.begun = False
        """Whether there is anything to be put in order at the end."""
        self.was_paused = True
        self.airflow: Airflow | None = None
        self.run_id = f"{PREFIX}{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
        folder = self.settings.market_streams_state / "batch"
        self.served_before = folder / "served.json"
        self.switched_on = folder / "switched-on"
        """There while the DAG is on because of us: a killed `make batch` leaves it so."""

    def variables(self) -> dict[str, str]:
        """What the tasks find in their environment: the local sources, and tables of their own."""
        return {
            "YAHOO_BASE_URL": self.upstream.url,
            "JPX_LISTING_URL": f"{self.upstream.url}/jpx/data_j.xlsx",
            "JPX_MIN_ROWS": "1",
            "STOCK_CACHE": str(self.settings.market_streams_state / "batch/cache"),
            "BATCH_SCHEMA": self.demo.batch_schema,
            "BATCH_REQUESTS_PER_SECOND": f"{self.demo.batch_rate:g}",
            "BATCH_BURST_LIMIT": str(self.demo.batch_burst),
            # Nobody is told of made-up stocks, whatever `.env` says; empty would not count as set.
            "BATCH_NOTIFY_URLS": " ",
        }

    def start(self) -> None:
        """Bring everything up and start the run, or let the stopped one go on."""
        say = self.console.print
        self.found = {row.service for row in self.stack.status() if row.health == "up"}
        if "airflow-api" in self.found:
            self.make_room()
        self.begun = True
        if self.found & AIRFLOW:
            say("stopping Airflow, which has to start again with the local sources …")
            self.stack.down(AIRFLOW, report=lambda line: None)
        self.upstream.stop()
        seconds = self.upstream.start()
        say(f"local Yahoo and JPX: {self.upstream.probe()}, {seconds:.1f} s")
        say("starting PostgreSQL and Airflow …")
        # Without a scheduler nothing goes on that an earlier stop has interrupted.
        self.stack.up(["airflow-api"], report=lambda line: say(f"  {line}"))
        self.make_room()
        if not self.demo.batch_resume:
            self.tables.drop()
            self.served_before.unlink(missing_ok=True)
        self.stack.up(AIRFLOW - {"airflow-api"}, report=lambda line: say(f"  {line}"))
        self.airflow = Airflow(self.settings)
        self.was_paused = self.airflow.wait_for_dag() or self.switched_on.exists()
        if self.was_paused:
            self.switched_on.parent.mkdir(parents=True, exist_ok=True)
            self.switched_on.touch()
        self.airflow.switch(paused=False)
        if self.demo.batch_resume:
            self.resume()
            return
        self.airflow.trigger(self.run_id, {"mode": "full"})
        minutes = clock(self.demo.expected_seconds)
        say(
            f"{self.demo.batch_symbols:,} stocks at {self.demo.batch_rate:g}/s: the rate alone "
            f"takes {minutes} minutes (DEMO_BATCH_RATE=50 or DEMO_BATCH_SYMBOLS=200 is quicker)",
            soft_wrap=True,
        )

    def make_room(self) -> None:
        """Forget what an earlier `make batch` has left unfinished, unless it is to go on.

        ServiceError if Airflow works on anything else, or would as soon as it has a scheduler:
        its tasks must not get our local sources.
        """
        airflow = Airflow(self.settings)
        if self.switched_on.exists():
            airflow.drop_scheduled()
        for run in airflow.at_work():
            if not run.run_id.startswith(PREFIX):
                raise ServiceError(
                    f"Airflow is at work on {run.dag_id}, run {run.run_id}: let it end "
                    "(`make up SERVICE=batch`), or stop it (`python -m dags.batch stop`), then "
                    "call `make batch` again"
                )
            if not self.demo.batch_resume:
                airflow.drop(run)

    def resume(self) -> None:
        """Let the newest execution go on. ServiceError if there is none."""
        execution = self.tables.newest()
        if execution is None or execution.run_id is None:
            raise ServiceError("there is no batch to go on with: call `make batch` without RESUME")
        self.run_id = execution.run_id
        if execution.status == "completed":
            return
        self.console.print(self.order("resume", execution.uuid), markup=False)

    def order(self, *words: str) -> str:
        """Give an order by the batch's own command line; what it says. ServiceError if it fails."""
        python = self.settings.installed / "venv/airflow/bin/python"
        done = subprocess.run(
            [python, "-m", "dags.batch", *words],
            cwd=ROOT,
            env={**os.environ, **self.settings.environment(), **self.variables()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            words_text = " ".join(words)
            raise ServiceError(f"dags.batch {words_text} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def watch(self) -> None:
        """Show the progress until the run ends or we are asked to; dead services are restarted."""
        looking = threading.Thread(target=self.look, daemon=True)
        looking.start()
        with Supervisor([*self.stack.services, self.upstream], self.report):
            self.show()
        self.ended.set()
        looking.join()

    def show(self) -> None:
        """The screen on a terminal, a line now and then elsewhere."""
        if self.console.is_terminal:
            with Live(self.view(), console=self.console, refresh_per_second=4) as live:
                while self.state.run not in ENDED and not self.ended.wait(0.25):
                    live.update(self.view())
                live.update(self.view())
            return
        due = 0.0
        while self.state.run not in ENDED and not self.ended.wait(0.25):
            if time.monotonic() >= due:
                due = time.monotonic() + PLAIN_SECONDS
                self.console.print(plain(self.state), soft_wrap=True)

    def view(self) -> RenderableType:
        """The screen now."""
        page = f"{self.settings.airflow_url}  user admin, password in "
        addresses = {"Airflow": page + str(self.settings.airflow_passwords)}
        return screen(self.state, addresses)

    def report(self, text: str) -> None:
        """Show what has happened to a service, once if it goes on happening."""
        first = text.splitlines()[0]
        if first not in self.state.notes[-1:]:
            self.console.print(text, markup=False, soft_wrap=True)
            self.state.notes.append(first)

    def look(self) -> None:
        """Ask PostgreSQL, Airflow and the local Yahoo until the end."""
        begun = time.monotonic()
        first: float | None = None
        while not self.ended.wait(LOOK_SECONDS):
            state = self.state
            state.progress = self.tables.progress(self.run_id)
            state.elapsed = time.monotonic() - begun
            if first is None and (state.progress.current or state.progress.done):
                first = time.monotonic()
            unfinished = state.progress.execution and state.progress.done < (
                state.progress.execution.total
            )
            if first is not None and unfinished:
                state.fetching = time.monotonic() - first
            try:
                state.calls = int(self.upstream.state()["http_calls"])
                state.tasks = self.client.running_tasks(self.run_id)
                state.run = self.client.state(self.run_id)
                if state.run == "queued" and self.was_paused:
                    self.client.drop_scheduled()
            except (NotReady, ServiceError) as error:
                self.report(str(error))

    @property
    def client(self) -> Airflow:
        """Airflow's interface; it is there once `start` is through."""
        if self.airflow is None:
            raise ServiceError("Airflow is not started")
        return self.airflow

    def halt(self) -> int:
        """Stop the batch where it is, keep what was served, and say how to go on."""
        execution = self.tables.progress(self.run_id).execution
        if execution is None:
            self.client.drop(Run(DAG_ID, self.run_id, "manual"))
            self.console.print("stopped before the batch had begun: call `make batch` again")
            return INTERRUPTED
        self.console.print(self.order("stop", execution.uuid, "--reason", "Ctrl-C"), markup=False)
        deadline = time.monotonic() + STOP_SECONDS
        while self.client.state(self.run_id) not in ENDED and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        self.served_before.parent.mkdir(parents=True, exist_ok=True)
        self.served_before.write_text(json.dumps(sorted(self.served())))
        progress = self.tables.progress(self.run_id)
        self.console.print(
            f"stopped at {progress.done:,} of {execution.total:,} stocks; what is stored stays. "
            "Go on with: make batch RESUME=1"
        )
        return INTERRUPTED

    def served(self) -> set[str]:
        """Symbols that got a complete answer, those before a Ctrl-C included."""
        before = self.served_before
        known = set(json.loads(before.read_text())) if before.exists() else set()
        return known | set(self.upstream.state()["served"])

    def verdict(self) -> int:
        """Print the report, compare, and give the status of the process."""
        progress = self.tables.progress(self.run_id)
        execution = progress.execution
        if execution is None:
            raise ServiceError(f"the run ended {self.state.run} without a batch: see Airflow's log")
        if execution.report:
            self.console.print(Markdown(execution.report))
        self.console.print("comparing every bar with what was served …")
        counters = self.upstream.state()
        found = compare(
            self.served(), self.tables.completed(), self.tables.bars(), self.upstream.truth
        )
        seconds = self.state.fetching
        pace = f" in {seconds:.0f} s of fetching" if seconds else ""
        self.console.print(
            f"{found.line()}; run {self.state.run}, batch {execution.status}, "
            f"{execution.successful:,} successful, {execution.failed:,} failed; "
            f"{counters['http_calls']:,} requests{pace}",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
        counted = (progress.stocks.get("completed", 0), progress.stocks.get("failed", 0))
        agreed = counted == (execution.successful, execution.failed)
        ended = (self.state.run, execution.status) == ("success", "completed")
        return 0 if found.equal and agreed and ended else 1

    def stop(self) -> None:
        """Stop what this run has started; services that were up before are put back."""
        self.ended.set()
        self.tables.close()
        if not self.begun:
            return
        if self.airflow is not None and self.was_paused:
            try:
                self.airflow.switch(paused=True)
                self.airflow.drop_scheduled()
                self.switched_on.unlink(missing_ok=True)
            except ServiceError as error:
                self.console.print(str(error), markup=False)
        self.upstream.stop()
        names = {service.name for service in self.stack.services}
        self.stack.down(AIRFLOW | (names - self.found), report=lambda line: None)
        if again := self.found & AIRFLOW:
            self.console.print("starting Airflow again as it was …")
            Stack(self.settings, ["batch"]).up(again, report=lambda line: None)


def main() -> int:
    """Run it; the status is that of the comparison."""
    console = Console()
    try:
        batch = BatchDemo(BatchDemoSettings(), console)
    except (SettingsError, ValueError) as error:
        console.print(f"These settings are wrong:\n{error}", markup=False)
        return 2
    try:
        batch.start()
        with interrupts(batch.ended):
            batch.watch()
            return batch.verdict() if batch.state.run in ENDED else batch.halt()
    except (ServiceError, NotReady) as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        batch.stop()


if __name__ == "__main__":
    with terminal_of_our_own():
        sys.exit(main())
