"""The ledger: the truth about a run, as JSON lines, for whoever checks the clients.

- ``{"t":"trade","exchange","symbol","native_symbol","trade_id","trade_seq","price","size",
  "side","ts_event"}``: once per trade that the market made; side is the aggressor's, time in µs;
- ``{"t":"sent","exchange","symbol","conn","via","ids","at"}``: trades that were truly and validly
  sent, in this order (a trade sent twice appears twice); ``via`` is ``ws``, ``snapshot`` or
  ``rest``; ``at`` is wall time in µs;
- ``{"t":"fault","kind","exchange",…}``: each fault, with ``ids`` where it concerns trades, and its
  start with how many ``connections`` there were;
- ``{"t":"end","trades":n}``: the run ended cleanly after n trades.
"""

import json
import time
from pathlib import Path
from typing import IO

FLUSH_SECONDS = 0.1
"""Longest time that a line waits in memory; checked once a tick."""


class Ledger:
    """Buffered writer of ledger lines; without a path it only counts."""

    def __init__(self, path: Path | None = None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")
        self._lines: list[str] = []
        self._flushed = time.monotonic()
        self.trades = 0

    def trade(
        self,
        exchange: str,
        symbol: str,
        native_symbol: str,
        trade_id: int,
        price: str,
        size: str,
        buy: bool,
        ts_event: int,
    ) -> None:
        """A trade was made; price and size as the venue writes them."""
        self.trades += 1
        if self._file is not None:
            self._lines.append(
                f'{{"t":"trade","exchange":"{exchange}","symbol":"{symbol}",'
                f'"native_symbol":"{native_symbol}","trade_id":"{trade_id}",'
                f'"trade_seq":{trade_id},"price":"{price}","size":"{size}",'
                f'"side":"{"buy" if buy else "sell"}","ts_event":{ts_event}}}\n'
            )

    def sent(self, exchange: str, symbol: str, conn: str, via: str, ids: list[int]) -> None:
        """Trades were written to a connection, or answered by REST."""
        if self._file is not None and ids:
            self._lines.append(
                f'{{"t":"sent","exchange":"{exchange}","symbol":"{symbol}","conn":"{conn}",'
                f'"via":"{via}","ids":{json.dumps(ids)},"at":{time.time_ns() // 1000}}}\n'
            )

    def fault(self, kind: str, exchange: str, **details: object) -> None:
        """Something was broken on purpose, or a client was dropped."""
        if self._file is not None:
            line = {"t": "fault", "kind": kind, "exchange": exchange, **details}
            line["at"] = time.time_ns() // 1000
            self._lines.append(json.dumps(line, separators=(",", ":")) + "\n")

    def flush(self, *, force: bool = False) -> None:
        """Write out what waits, if it has waited long enough."""
        now = time.monotonic()
        if self._file is None or (not force and now - self._flushed < FLUSH_SECONDS):
            return
        self._flushed = now
        if self._lines:
            self._file.write("".join(self._lines))
            self._lines.clear()
        self._file.flush()

    def close(self) -> None:
        """Write the end line; further calls do nothing."""
        if self._file is None:
            return
        self._lines.append(f'{{"t":"end","trades":{self.trades}}}\n')
        self.flush(force=True)
        self._file.close()
        self._file = None
