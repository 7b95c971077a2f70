"""`make demo`: everything on real components, a live terminal, and the oracle's verdict.

Ends on Ctrl-C or after DEMO_SECONDS. The status is 0 only if windows were compared with the
oracle and none differed.
"""

import os
import subprocess
import sys
import threading
import time

from kafka import KafkaConsumer, TopicPartition
from rich.console import Console, RenderableType
from rich.live import Live

from docker.demo.reset import cancel_jobs, reset
from docker.demo.services import Connector, Exchange
from docker.demo.settings import VENUES, DemoSettings
from docker.demo.state import DemoState, Feed, TopicReader
from docker.demo.view import screen
from docker.local import jobs
from docker.local.service import NotReady, Service, ServiceError
from docker.local.settings import ROOT, SettingsError, StackSettings, load
from docker.local.stack import Stack
from docker.local.supervisor import Supervisor
from docker.local.terminal import interrupts, terminal_of_our_own

FIRST_RECORD_SECONDS = 60
REFRESH_SECONDS = 0.5
SLOW_REFRESH_SECONDS = 4
PLAIN_SECONDS = 10
JOBS = ("bars", "alerts")


class Demo:
    """One run of the demo, in the order of its methods."""

    def __init__(self, settings: StackSettings, demo: DemoSettings, console: Console) -> None:
        self.settings = settings
        self.demo = demo
        self.console = console
        self.stack = Stack(settings, ["market"])
        self.exchange = Exchange(settings, demo)
        self.connectors = [Connector(settings, demo, venue) for venue in VENUES]
        self.state = DemoState(feeds={venue: Feed() for venue in VENUES})
        self.reader: TopicReader | None = None
        self.found: set[str] = set()
        """Services that ran before."""
        self.ended = threading.Event()

    @property
    def ours(self) -> list[Service]:
        """The demo's own processes, in the order in which they stop."""
        return [*self.connectors, self.exchange]

    def start(self) -> None:
        """Bring everything up until the jobs run. ServiceError says what failed."""
        say = self.console.print
        self.found = {row.service for row in self.stack.status() if row.health == "up"}
        say("starting Kafka, PostgreSQL and Flink …")
        self.stack.up(report=lambda line: say(f"  {line}"))
        for service in self.ours:
            service.stop()
        reset(self.settings, self.demo.topic_prefix, self.demo.analytics_schema)
        self.run_module(sys.executable, "connectors", "topics")
        say(f"starting the local exchange: {self.demo.since} ago, {self.demo.catch_up}")
        self.exchange.start()
        venues = self.exchange.state()["venues"]
        for connector in self.connectors:
            connector.symbols = venues[connector.venue]["symbols"]
            connector.start()
            say(f"  connector {connector.venue}: {len(connector.symbols)} symbols")
        self.wait_for_first_records()
        say(f"submitting the jobs {', '.join(JOBS)} …")
        self.submit()
        self.reader = TopicReader(self.state, self.settings.bootstrap, self.demo.topic_prefix)
        self.reader.start()

    def wait_for_first_records(self) -> None:
        """Each venue must be in its topic: its partition then holds the others' time back."""
        topic = f"{self.demo.topic_prefix}market.trades"
        consumer = KafkaConsumer(bootstrap_servers=self.settings.bootstrap)
        parts = [TopicPartition(topic, part) for part in consumer.partitions_for_topic(topic) or ()]
        deadline = time.monotonic() + FIRST_RECORD_SECONDS
        while not all(consumer.end_offsets(parts).values()):
            if time.monotonic() > deadline:
                tails = "\n".join(connector.log_tail() for connector in self.connectors)
                raise ServiceError(
                    f"no record of some venue after {FIRST_RECORD_SECONDS} s\n{tails}"
                )
            time.sleep(0.1)
        consumer.close()

    def submit(self) -> None:
        """Submit the jobs from one client call."""
        python = self.settings.installed / "venv/flink/bin/python"
        self.run_module(str(python), "flink_jobs", "submit", *JOBS)

    def run_module(self, python: str, module: str, *arguments: str) -> None:
        """Run `python -m module …` to its end. ServiceError holds its output if it fails."""
        done = subprocess.run(
            [python, "-m", module, *arguments],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            command = " ".join(["python -m", module, *arguments])
            raise ServiceError(f"{command} failed:\n{done.stdout}{done.stderr}")

    def environment(self) -> dict[str, str]:
        """Our environment with the stack's addresses and the demo's own names."""
        return {**os.environ, **self.settings.environment(), **self.demo.names}

    def watch(self) -> None:
        """Show the live terminal until the end; dead services are restarted meanwhile."""
        for look in (self.look_fast, self.look_slow):
            threading.Thread(target=look, daemon=True).start()
        names = self.demo.names
        recover = {"jobmanager": lambda: jobs.resume(self.settings, names)}
        watched = [*self.stack.services, *self.connectors]
        with Supervisor(watched, self.report, recover=recover):
            self.show(self.state.started + (self.demo.seconds or float("inf")))

    def show(self, deadline: float) -> None:
        """The screen on a terminal, a line now and then elsewhere."""
        if self.console.is_terminal:
            with Live(self.view(), console=self.console, refresh_per_second=4) as live:
                while not self.ended.wait(0.25) and time.monotonic() < deadline:
                    live.update(self.view())
            return
        while not self.ended.wait(PLAIN_SECONDS) and time.monotonic() < deadline:
            self.console.print(self.plain())
        self.console.print(self.view())

    def report(self, text: str) -> None:
        """Show what has happened to a service: above the screen, and in its footer."""
        self.console.print(text, markup=False, soft_wrap=True)
        self.state.notes.append(text.splitlines()[0])

    def view(self) -> RenderableType:
        """The screen now."""
        addresses = {
            "Flink": self.settings.flink_rest,
            "metrics": "  ".join(
                f"http://127.0.0.1:{each.port}/metrics" for each in self.connectors
            ),
            "exchange": f"http://127.0.0.1:{self.exchange.port}/state",
        }
        return screen(self.state, addresses)

    def plain(self) -> str:
        """One line for a log."""
        state = self.state
        events = sum(feed.events for feed in state.feeds.values())
        return (
            f"{time.monotonic() - state.started:5.0f} s  {events:,.0f} events  "
            f"{state.windows} bars  {state.alert_count} alerts  {state.late} late rows"
        )

    def look_fast(self) -> None:
        """Metrics and the market's clock."""
        while not self.ended.wait(REFRESH_SECONDS):
            try:
                self.state.market_us = self.exchange.state()["now_us"]
                for connector in self.connectors:
                    feed = self.state.feeds[connector.venue]
                    feed.update(connector.metrics(), time.monotonic())
            except NotReady as error:
                self.state.notes.append(str(error))

    def look_slow(self) -> None:
        """Health and memory of the services, by real requests."""
        while not self.ended.wait(0 if not self.state.services else SLOW_REFRESH_SECONDS):
            self.state.services = self.stack.status()

    def verdict(self) -> int:
        """Stop the market, let what is under way arrive, and ask the oracle. Its status."""
        self.ended.set()
        self.console.print("stopping the market …")
        self.exchange.pause()
        time.sleep(2)
        for service in self.ours:
            service.stop()
        if self.state.first_window_after is not None:
            self.console.print(f"first window shown after {self.state.first_window_after:.1f} s")
        asked = [sys.executable, "-m", "flink_jobs.oracle", str(self.exchange.ledger)]
        return subprocess.run(asked, cwd=ROOT, env=self.environment(), check=False).returncode

    def stop(self) -> None:
        """Stop everything this run has started; services that were up before stay."""
        self.ended.set()
        if self.reader:
            self.reader.stop()
        for service in self.ours:
            service.stop()
        if "jobmanager" in self.found:
            cancel_jobs(self.settings.flink_rest, self.demo.topic_prefix)
        if started := {service.name for service in self.stack.services} - self.found:
            self.stack.down(started, report=lambda line: None)


def main() -> int:
    """Run the demo; the status is the oracle's."""
    console = Console()
    try:
        demo = Demo(load(), DemoSettings(), console)
    except SettingsError as error:
        console.print(f"These settings are wrong:\n{error}")
        return 2
    try:
        demo.start()
        with interrupts(demo.ended):
            demo.watch()
            return demo.verdict()
    except ServiceError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        demo.stop()


if __name__ == "__main__":
    with terminal_of_our_own():
        sys.exit(main())
