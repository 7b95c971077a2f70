"""What was asked and what was truly served, for whoever checks the clients."""

from collections import Counter, defaultdict, deque
from time import monotonic, time
from typing import Any

LISTING = "listing"
"""Calls to the exchange's own site; they count apart from Yahoo's."""
PRICE = "price"
UNANSWERED = "none"
"""In place of a status: the connection was cut, or the client went away before the whole answer."""


class Ledger:
    """Counters since the start or the last reset.

    A price answer counts as served once its whole body was handed to the operating system.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from nothing again."""
        self.calls = 0
        self.in_flight = 0
        self.max_in_a_second = 0
        self.first_call: float | None = None
        self.last_call: float | None = None
        self.by_status: Counter[str] = Counter()
        self.by_kind: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.asked: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.altered: Counter[str] = Counter()
        self._recent: deque[float] = deque()

    def begin(self, kind: str, symbol: str | None) -> None:
        """A request came in."""
        self.in_flight += 1
        if kind == PRICE and symbol is not None:
            self.asked[symbol] += 1
        if kind == LISTING:
            return
        self.calls += 1
        now = monotonic()
        self._recent.append(now)
        while self._recent[0] <= now - 1:
            self._recent.popleft()
        self.max_in_a_second = max(self.max_in_a_second, len(self._recent))
        self.last_call = time()
        if self.first_call is None:
            self.first_call = self.last_call

    def end(self, kind: str, status: int | None) -> None:
        """A request is over; ``status`` is None where it got no whole answer."""
        self.in_flight = max(0, self.in_flight - 1)
        text = UNANSWERED if status is None else str(status)
        self.by_kind[kind][text] += 1
        if kind != LISTING:
            self.by_status[text] += 1

    def bars(self, symbol: str, *, altered: bool) -> None:
        """A chart with bars was served whole; ``altered``: a fault had its hand in the bars."""
        self.served[symbol] += 1
        if altered:
            self.altered[symbol] += 1

    def state(self) -> dict[str, Any]:
        """All counters; times are seconds since 1970, kinds and statuses are text."""
        return {
            "http_calls": self.calls,
            "in_flight": self.in_flight,
            "by_status": dict(self.by_status),
            "by_kind": {kind: dict(counts) for kind, counts in self.by_kind.items()},
            "max_in_a_second": self.max_in_a_second,
            "first_call": self.first_call,
            "last_call": self.last_call,
            "served_calls": self.served.total(),
            "served_symbols": len(self.served),
            "asked": dict(self.asked),
            "served": dict(self.served),
            "altered": dict(self.altered),
        }
