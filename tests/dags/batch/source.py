"""A source of bars without HTTP, at the world's edge: for tests of the engine alone.

It may be imported by worker processes; then `LEDGER` names a file that gets one line for each
fetch that was answered, which is what the tests judge by.
"""

import os
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from connectors.stocks.bars import Bar, Failure, FetchError
from dags.batch.config import BatchConfig

FIRST = date(2025, 1, 6)
SESSIONS = 40


def bars_of(symbol: str, sessions: int = SESSIONS, factor: float = 1.0) -> list[Bar]:
    """Bars of a symbol: always the same ones. `factor` divides prices, as a split does."""
    seed = zlib.crc32(symbol.encode()) % 900 + 100
    bars = []
    for number in range(sessions):
        close = (seed + number) / factor
        bars.append(
            Bar(
                FIRST + timedelta(days=number),
                close - 1 / factor,
                close + 2 / factor,
                close - 2 / factor,
                close,
                close * 0.98,
                1000 + number,
            )
        )
    return bars


class ScriptedSource:
    """Answers from `bars_of`; `script` holds what happens first, by symbol, one after the other.

    A step is a Failure, an exception, a list of bars, or a function to call before the answer.
    """

    def __init__(
        self,
        throttle: Callable[[], None],
        script: Mapping[str, Sequence[object]] | None = None,
        delay: float = 0.0,
    ) -> None:
        self.throttle = throttle
        self.script = defaultdict(list, {k: list(v) for k, v in (script or {}).items()})
        self.delay = delay
        self.http_calls = 0
        self.asked: list[tuple[str, date | None, date | None]] = []

    def daily_bars(self, symbol: str, start: date | None, end: date | None) -> Sequence[Bar]:
        """See BarSource."""
        self.throttle()
        self.http_calls += 1
        self.asked.append((symbol, start, end))
        time.sleep(self.delay)
        bars = bars_of(symbol)
        if self.script[symbol]:
            step = self.script[symbol].pop(0)
            if isinstance(step, Failure):
                raise FetchError(step, "as the test says", 429 if "limited" in step else None)
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, list):
                bars = step
            elif callable(step):
                step()
        return [
            bar
            for bar in bars
            if (start is None or bar.trade_date >= start) and (end is None or bar.trade_date <= end)
        ]


class LedgerSource(ScriptedSource):
    """Writes a line to LEDGER for each answer."""

    def daily_bars(self, symbol: str, start: date | None, end: date | None) -> Sequence[Bar]:
        """See BarSource."""
        bars = super().daily_bars(symbol, start, end)
        with Path(os.environ["LEDGER"]).open("a", encoding="ascii") as ledger:
            ledger.write(f"{symbol} {os.environ['BATCH_WORKER_HOST']}\n")
        return bars


def ledger_source(config: BatchConfig, throttle: Callable[[], None]) -> LedgerSource:
    """What worker processes make."""
    return LedgerSource(throttle, delay=float(os.environ.get("LEDGER_DELAY", "0")))


def broken_source(config: BatchConfig, throttle: Callable[[], None]) -> ScriptedSource:
    """Fails unexpectedly at its first stock."""
    return ScriptedSource(throttle, {"1000.T": [ZeroDivisionError("by zero")]})
