"""The processes of a chaos run: exchange, connectors, broker; and what is done to them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from docker.local.kafka import Kafka
from docker.local.settings import ROOT
from tests.connectors.kafka.own_broker import address
from tests.integration.chaos_plan import SILENCE, VENUES, Action
from tests.integration.market import wait_until

SYMBOLS = 12
"""Per venue: 36 in all."""
RATE = 30.0
"""Trades a second and venue."""
PREFIX = "chaos."
EXIT_BROKER = 3


class Deed(NamedTuple):
    """What was done, from when to when, µs: ``kill`` of a venue, ``stop`` of the broker …"""

    what: str
    target: str
    begin: int
    end: int


def now_us() -> int:
    """The wall clock."""
    return time.time_ns() // 1000


class Child:
    """``python -m connectors …`` with a log file; ended by its own process handle only."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "connectors", *words],
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if words[0] == "simulate" else output,
                stderr=output,
            )

    def kill(self) -> None:
        """-9, without a word."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 40.0) -> int:
        """End it cleanly; gives its exit code, -9 where it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Exchange:
    """The local exchange with three venues; time stands until each has a subscriber."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.ledger = folder / "ledger.jsonl"
        waiting = ",".join(f"{venue}=1" for venue in VENUES)
        ports = [word for name in ("control", *VENUES) for word in (f"--{name}-port", "0")]
        options = {
            "--venues": ",".join(VENUES),
            "--wait-for-subscribers": waiting,
            "--symbols": SYMBOLS,
            "--rate": RATE,
            "--seed": seed,
            "--since": "3m",
            "--catch-up": "20x",
            "--ledger": self.ledger,
        }
        words = [str(word) for option in options.items() for word in option]
        self.child = Child(["simulate", *ports, *words], {}, folder / "exchange.log")
        assert self.child.process.stdout is not None
        line = self.child.process.stdout.readline()
        assert line, f"the exchange did not start, see {self.child.log}"
        self.addresses: dict[str, dict[str, str]] = json.loads(line)

    def call(self, path: str, body: object = None) -> Any:
        """One control request; GET without a body."""
        data = None if body is None else json.dumps(body).encode()
        url = self.addresses["control"]["http"] + path
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
            return json.load(answer)

    def fault(self, venue: str, details: Mapping[str, Any]) -> None:
        """Start a fault."""
        self.call("/faults", {"exchange": venue, **details})


class Connector:
    """The connector of one venue, started anew whenever it ends."""

    def __init__(self, venue: str, exchange: Exchange, bootstrap: str, folder: Path) -> None:
        self.venue = venue
        self.starts = 0
        self.faults: list[str] = []
        """Ends that nobody ordered and no broker explains."""
        self._folder = folder
        symbols = exchange.call("/state")["venues"][venue]["symbols"]
        self._words = ["run", "--venue", venue, "--symbols", ",".join(symbols)]
        self._words += ["--channels", "trades,books"]
        at = exchange.addresses[venue]
        self._environment = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "TOPIC_PREFIX": PREFIX,
            "MARKET_STREAMS_STATE": str(folder),
            f"{venue.upper()}_WS_URL": at["ws"],
            f"{venue.upper()}_REST_URL": at["rest"],
            "COINBASE_EXCHANGE_REST_URL": at["rest"],
            "BACKOFF_BASE": "0.2",
            "BACKOFF_CAP": "2",
            "RENEW": "30",
            "SILENCE": str(SILENCE),
            "METRICS_PORT": "-1",
            # What two connections bring is published once.
            "CONNECTIONS": "2" if venue == "kraken" else "1",
        }
        self._child: Child | None = None
        self._next_start = 0.0
        self._killed_at = 0

    def tend(self, deeds: list[Deed]) -> None:
        """Start it where it does not run and the pause after a kill is over."""
        child = self._child
        if child is not None:
            code = child.process.poll()
            if code is None:
                return
            if code != EXIT_BROKER:
                self.faults.append(f"{self.venue}: ended by itself with {code}, see {child.log}")
            self._child, self._killed_at = None, now_us()
        if time.monotonic() < self._next_start:
            return
        if self._killed_at:
            deeds.append(Deed("kill", self.venue, self._killed_at, now_us()))
        log = self._folder / f"{self.venue}.log"
        self._child = Child(self._words, self._environment, log)
        self.starts += 1

    def kill(self, restart_after: float) -> None:
        """Kill it -9; `tend` starts it again after so many seconds."""
        if self._child is not None:
            self._child.kill()
            self._child, self._killed_at = None, now_us()
        self._next_start = time.monotonic() + restart_after

    def stop(self) -> None:
        """End it for good."""
        if self._child is not None:
            code = self._child.stop()
            if code:
                self.faults.append(f"{self.venue}: its end gave {code}, see {self._child.log}")
            self._child = None


class World:
    """All of a run."""

    def __init__(self, exchange: Exchange, broker: Kafka, folder: Path) -> None:
        self.exchange = exchange
        self.broker = broker
        self.bootstrap = address(broker)
        self.connectors = {v: Connector(v, exchange, self.bootstrap, folder) for v in VENUES}
        self.deeds: list[Deed] = []
        self.kills = 0
        self._outage: threading.Thread | None = None

    def tend(self) -> None:
        """Start what has ended."""
        for connector in self.connectors.values():
            connector.tend(self.deeds)

    def run_until(self, deadline: float) -> None:
        """Tend until the monotonic deadline."""
        while True:
            self.tend()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.05, left))

    def ready(self) -> bool:
        """Whether the market has reached the present and each symbol has traded.

        What a Binance symbol trades before its first trade was seen cannot be missed by anybody.
        """
        self.tend()
        if not self.exchange.call("/state")["caught_up"]:
            return False
        with self.exchange.ledger.open(encoding="utf-8") as lines:
            trades = [json.loads(line) for line in lines if line.startswith('{"t":"trade"')]
        return len({(t["exchange"], t["symbol"]) for t in trades}) == SYMBOLS * len(VENUES)

    def perform(self, actions: Sequence[Action]) -> None:
        """Do all of it, each at its time."""
        begun = time.monotonic()
        for action in actions:
            self.run_until(begun + action.at)
            self._do(action)
        while self._outage is not None and self._outage.is_alive():
            self.run_until(time.monotonic() + 0.2)

    def _do(self, action: Action) -> None:
        if action.what == "fault":
            self.exchange.fault(action.target, action.details)
        elif action.what == "kill":
            self.kills += 1
            self.connectors[action.target].kill(action.details["restart_after"])
        else:
            while self._outage is not None and self._outage.is_alive():
                self.run_until(time.monotonic() + 0.2)
            arguments = (action.what, action.details["seconds"])
            self._outage = threading.Thread(target=self._break_broker, args=arguments)
            self._outage.start()

    def _break_broker(self, what: str, seconds: float) -> None:
        begun = now_us()
        process = self.broker.process.find()
        if what == "kill9" and process is not None:
            process.kill()
        self.broker.stop()  # after a kill it only clears up
        time.sleep(seconds)
        self.broker.start()
        self.deeds.append(Deed(what, "broker", begun, now_us()))

    def settle(self, seconds: float) -> None:
        """Let the market go on in peace, then stand; what is under way arrives."""
        self.run_until(time.monotonic() + seconds)
        self.exchange.call("/pause", {})
        self.run_until(time.monotonic() + 3)
        for connector in self.connectors.values():
            connector.stop()


@contextmanager
def world(broker: Kafka, folder: Path, seed: int) -> Iterator[World]:
    """A world whose market has caught up; all of it but the broker is stopped at the end."""
    exchange = Exchange(folder, seed)
    here = None
    try:
        here = World(exchange, broker, folder)
        wait_until(here.ready, 90, "the market has caught up and each symbol has traded")
        here.run_until(time.monotonic() + 2)
        yield here
    finally:
        for connector in here.connectors.values() if here else ():
            connector.stop()
        exchange.child.stop()
