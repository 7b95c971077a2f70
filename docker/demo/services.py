"""The demo's own processes: the local exchange and one connector per venue."""

import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.demo.settings import VENUES, DemoSettings
from docker.local.process import Launch
from docker.local.service import NotReady, Service
from docker.local.settings import HOST, ROOT, StackSettings


class _Demo(Service):
    """A Python module of ours as a service."""

    def __init__(self, settings: StackSettings, demo: DemoSettings, name: str) -> None:
        self.name = name
        super().__init__(settings)
        self.demo = demo

    def launch(self, *arguments: str, **environment: str) -> Launch:
        """`python -m connectors …` in our own environment, with the stack's addresses."""
        return Launch(
            [sys.executable, "-m", "connectors", *arguments],
            {
                **self.settings.environment(),
                "TOPIC_PREFIX": self.demo.topic_prefix,
                "PYTHONPATH": str(ROOT),
                **environment,
            },
        )


class Exchange(_Demo):
    """The local exchange, with a fresh ledger; ``options`` go before the demo's."""

    def __init__(
        self,
        settings: StackSettings,
        demo: DemoSettings,
        options: Mapping[str, object] | None = None,
        name: str = "exchange",
    ) -> None:
        super().__init__(settings, demo, name)
        self.options = options or {"--catch-up": demo.catch_up}
        self.ledger: Path = settings.market_streams_state / "demo" / f"{name}.jsonl"

    @property
    def port(self) -> int:
        """Port of the control interface."""
        return self.demo.control_port

    def prepare(self) -> Launch:
        """A market that starts in the past and waits for its subscribers."""
        self.ledger.parent.mkdir(parents=True, exist_ok=True)
        self.ledger.unlink(missing_ok=True)
        options = {
            "--control-port": self.demo.control_port,
            "--binance-port": self.demo.binance_port,
            "--coinbase-port": self.demo.coinbase_port,
            "--since": self.demo.since,
            "--symbols": self.demo.symbols,
            "--rate": self.demo.rate,
            "--seed": self.demo.seed,
            "--wait-for-subscribers": ",".join(f"{venue}=1" for venue in VENUES),
            "--ledger": self.ledger,
            **self.options,
        }
        words = [str(word) for option in options.items() for word in option]
        return self.launch("simulate", *words)

    def state(self) -> dict[str, Any]:
        """What the exchange says of itself. NotReady where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/state", timeout=2) as answer:
                return dict(json.load(answer))
        except OSError as error:
            raise NotReady(str(error)) from None

    def probe(self) -> str:
        """One answered request."""
        venues = self.state()["venues"]
        return ", ".join(f"{name} {venue['trades']} trades" for name, venue in venues.items())

    def pause(self) -> None:
        """Stop the market's clock; connections stay."""
        self._post("pause", {})

    def fault(self, **what: object) -> None:
        """Order a fault, for example ``kind="disconnect", exchange="binance"``."""
        self._post("faults", what)

    def _post(self, path: str, body: dict[str, object]) -> None:
        headers = {"Content-Type": "application/json"}
        url = f"http://{HOST}:{self.port}/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        urllib.request.urlopen(request, timeout=5).close()


class Connector(_Demo):
    """The connector of one venue, run against the local exchange."""

    def __init__(
        self,
        settings: StackSettings,
        demo: DemoSettings,
        venue: str,
        channels: str = "trades,quotes,books",
        **environment: str,
    ) -> None:
        super().__init__(settings, demo, venue)
        self.venue = venue
        self.channels = channels
        self.environment = environment
        self.symbols: list[str] = []

    @property
    def port(self) -> int:
        """Port of its metrics."""
        return self.demo.metrics_port(self.venue)

    def prepare(self) -> Launch:
        """The real connector; only addresses differ from production."""
        address = f"{HOST}:{self.demo.port(self.venue)}"
        venue = self.venue.upper()
        environment = {
            f"{venue}_WS_URL": f"ws://{address}",
            f"{venue}_REST_URL": f"http://{address}",
            "METRICS_PORT": str(self.port),
            **self.environment,
        }
        if self.venue == "coinbase":
            environment["COINBASE_EXCHANGE_REST_URL"] = f"http://{address}"
        symbols = ",".join(self.symbols)
        words = ["--venue", self.venue, "--symbols", symbols, "--channels", self.channels]
        return self.launch("run", *words, **environment)

    def metrics(self) -> str:
        """The Prometheus text. NotReady where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError as error:
            raise NotReady(str(error)) from None

    def probe(self) -> str:
        """One answered scrape."""
        self.metrics()
        return f"{len(self.symbols)} symbols"
