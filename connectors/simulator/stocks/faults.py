"""Failures on command and by schedule.

| kind | what a request gets |
|---|---|
| rate_limit | 429, with ``Retry-After`` where ``retry_after`` (seconds) is given |
| not_found, no_data | 404 and 400 in Yahoo's words |
| server_error, server_error_json | 500 with HTML, with a JSON error |
| bad_gateway, unavailable, forbidden | 502, 503, 403 with HTML |
| unauthorized | 401 Invalid Crumb |
| hang | nothing, for ``delay`` seconds or until the client goes away; then a closed connection |
| slow | the right answer, ``delay`` (5) seconds late |
| reset | a connection reset |
| truncated | half of the body that was announced |
| malformed, html, down | 200 with broken JSON, with HTML, with 'Will be right back' |
| empty | 200 without any bar |
| null_rows, null_closes | ``rows`` bars without any number, without a close |
| negative_volumes | ``rows`` bars with a volume below 0 |
| broken_prices | ``rows`` bars with the high below the low |
| hundredfold | ``rows`` bars with prices 100 times too high |
| missing_rows | ``rows`` bars are left out |
| disorder, duplicates | the bars shuffled, ``rows`` of them twice |
| split | not an answer: at its time ``symbols`` split ``ratio`` [2, 1] from ``day`` (today) on |

``symbols`` (7203 or 7203.T; default all), ``on`` (default ``chart``: prices and time zones; see
``ON``), ``count`` (requests in all), ``per_symbol`` (requests of each symbol), ``seconds``,
``probability`` bound what is hit; with none of them it is all, until a reset. ``at`` seconds and
``after_calls`` calls to Yahoo later it begins. The first fault that hits decides.
``days`` names the bars instead of ``rows`` (2) random ones.
"""

from collections import Counter
from datetime import date
from pathlib import Path
from random import Random
from typing import Literal

import msgspec

Kind = Literal[
    "rate_limit",
    "not_found",
    "no_data",
    "server_error",
    "server_error_json",
    "bad_gateway",
    "unavailable",
    "forbidden",
    "unauthorized",
    "hang",
    "slow",
    "reset",
    "truncated",
    "malformed",
    "html",
    "down",
    "empty",
    "null_rows",
    "null_closes",
    "negative_volumes",
    "broken_prices",
    "hundredfold",
    "missing_rows",
    "disorder",
    "duplicates",
    "split",
]
On = Literal["chart", "price", "timezone", "crumb", "cookie", "quote", "listing", "yahoo"]
ON: dict[On, tuple[str, ...]] = {
    "chart": ("price", "timezone"),
    "price": ("price",),
    "timezone": ("timezone",),
    "crumb": ("crumb",),
    "cookie": ("cookie", "consent"),
    "quote": ("quote",),
    "listing": ("listing",),
    "yahoo": ("price", "timezone", "crumb", "cookie", "consent", "quote"),
}
"""Kinds of requests that a fault may be bound to."""


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One fault as it is ordered."""

    kind: Kind
    symbols: list[str] | None = None
    on: On = "chart"
    count: int | None = None
    per_symbol: int | None = None
    seconds: float | None = None
    probability: float = 1.0
    at: float = 0.0
    after_calls: int = 0
    retry_after: int | None = None
    delay: float | None = None
    rows: int = 2
    days: list[date] | None = None
    ratio: tuple[int, int] = (2, 1)
    day: date | None = None

    def __post_init__(self) -> None:
        if self.symbols is not None:
            self.symbols = [symbol_of(text) for text in self.symbols]
        if self.kind == "split" and not self.symbols:
            raise ValueError("a split needs symbols")
        if self.rows < 1:
            raise ValueError("rows must be 1 or more")


class _Active(msgspec.Struct):
    fault: Fault
    begins: float
    after_calls: int
    hits: int = 0
    done: bool = False
    of_symbol: Counter[str] = msgspec.field(default_factory=Counter)


class Faults:
    """The faults that were ordered; times are seconds of a monotonic clock."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"faults/{seed}")
        self._active: list[_Active] = []

    def start(self, fault: Fault, now: float, calls: int) -> None:
        """Order a fault; ``calls`` is how many calls there were so far."""
        self._active.append(_Active(fault, now + fault.at, calls + fault.after_calls))

    def clear(self) -> None:
        """Forget all."""
        self._active.clear()

    def pick(self, kind: str, symbol: str | None, now: float, calls: int) -> Fault | None:
        """The fault that hits this request, if one does; it counts as a hit."""
        for active in self._active:
            if self._hits(active, kind, symbol, now, calls):
                active.hits += 1
                active.of_symbol[symbol or ""] += 1
                return active.fault
        return None

    def due_splits(self, now: float, calls: int) -> list[Fault]:
        """Splits whose time has come; each is told once."""
        due = [
            active
            for active in self._active
            if active.fault.kind == "split" and not active.done and _begun(active, now, calls)
        ]
        for active in due:
            active.done = True
        return [active.fault for active in due]

    def state(self) -> list[dict[str, object]]:
        """All that were ordered, with their hits."""
        return [
            {"fault": msgspec.to_builtins(active.fault), "hits": active.hits}
            for active in self._active
        ]

    def _hits(self, active: _Active, kind: str, symbol: str | None, now: float, calls: int) -> bool:
        fault = active.fault
        if fault.kind == "split" or kind not in ON[fault.on] or not _begun(active, now, calls):
            return False
        if fault.symbols is not None and symbol not in fault.symbols:
            return False
        over = (
            (fault.count is not None and active.hits >= fault.count)
            or (fault.per_symbol is not None and active.of_symbol[symbol or ""] >= fault.per_symbol)
            or (fault.seconds is not None and now >= active.begins + fault.seconds)
        )
        return not over and self._random.random() < fault.probability


def _begun(active: _Active, now: float, calls: int) -> bool:
    return now >= active.begins and calls >= active.after_calls


def symbol_of(text: str) -> str:
    """Yahoo's symbol of a code; a symbol is left as it is."""
    return text if text.endswith(".T") else f"{text}.T"


def load_faults(path: Path) -> list[Fault]:
    """The faults of a JSON file (a list); OSError or msgspec errors name what is wrong."""
    return msgspec.json.decode(path.read_bytes(), type=list[Fault])
