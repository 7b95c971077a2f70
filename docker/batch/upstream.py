"""The local Yahoo and JPX as a service, and what it says of itself."""

import json
import sys
import urllib.request
from datetime import date
from typing import Any

from docker.batch.settings import BatchDemoSettings
from docker.local.process import Launch
from docker.local.service import NotReady, Service
from docker.local.settings import HOST, ROOT, StackSettings

Bar = tuple[date, float, float, float, float, float, int, float, float]
"""trade_date, open, high, low, close, adj_close, volume, dividends, splits."""
FIELDS = (
    *("trade_date", "open", "high", "low", "close", "adj_close"),
    *("volume", "dividends", "splits"),
)


class Upstream(Service):
    """Speaks the protocols of Yahoo Finance and JPX; its own counters are the judge."""

    name = "yahoo"

    def __init__(self, settings: StackSettings, demo: BatchDemoSettings) -> None:
        super().__init__(settings)
        self.demo = demo

    @property
    def port(self) -> int:
        """HTTP port."""
        return self.demo.batch_port

    @property
    def url(self) -> str:
        """What stands in for `https://<host of Yahoo>`."""
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> Launch:
        """Stocks and histories follow from the seed."""
        options = {
            "--port": self.port,
            "--symbols": self.demo.batch_symbols,
            "--seed": self.demo.batch_seed,
            "--years": self.demo.batch_years,
        }
        words = [str(word) for option in options.items() for word in option]
        if self.demo.batch_faults:
            words += ["--faults", str((ROOT / self.demo.batch_faults).resolve())]
        command = [sys.executable, "-m", "connectors", "simulate-stocks", *words]
        return Launch(command, {**self.settings.environment(), "PYTHONPATH": str(ROOT)})

    def probe(self) -> str:
        """One answered request."""
        state = self.state()
        return f"{state['ordinary']} stocks, {state['http_calls']} requests"

    def state(self) -> dict[str, Any]:
        """Counters of requests and answers. NotReady where it does not answer."""
        return dict(self._get("state"))

    def truth(self, symbol: str) -> list[Bar]:
        """What a correct client must have stored of a symbol, oldest first."""
        bars = self._get(f"bars/{symbol}")["bars"]
        return [
            (date.fromisoformat(bar["trade_date"]), *(bar[name] for name in FIELDS[1:]))
            for bar in bars
        ]

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}/control/{path}", timeout=10) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise NotReady(f"no answer from {self.url}: {error}") from None
