"""Faults on command and by schedule; seeded, and each one in the ledger.

| kind | what happens |
|---|---|
| disorder | trades are held back for up to ``delay`` (2) simulated seconds, then sent |
| duplicate | trades are sent twice, the second time at once or up to ``delay`` seconds later |
| malformed | the trade's frame is broken JSON or lacks a sound price: it counts as not sent |
| truncate | the trade's frame is cut off: it counts as not sent |
| checksum | Kraken: a book update carries a wrong checksum |
| book_gap | a book update is lost: ids (Binance), sequence (Coinbase), checksum (Kraken) tell |
| silence | connections stay up and say nothing; the market goes on; nothing is sent later |
| half_open | the sockets of this moment stay open, and nothing comes or is answered any more |
| disconnect | all connections are cut without a close frame |
| shutdown | Binance: ``serverShutdown``, Coinbase: close 1001; cut ``delay`` wall seconds later |
| slow_pong | the client's pings are answered ``delay`` (5) wall seconds late |
| rest_down | REST answers 503 |
| slow | frames leave in bursts, half of one ``delay`` (1) wall seconds after the other half |

``seconds`` is simulated time (default 30; none where only ``count`` is given); ``count`` bounds how
many trades or book updates are hit, ``probability`` (1) how likely each is, ``symbol`` (BTC-USDT)
which.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Literal

import msgspec

from connectors.simulator.ledger import Ledger
from connectors.simulator.market import hash_text

Kind = Literal[
    "disorder",
    "duplicate",
    "malformed",
    "truncate",
    "checksum",
    "book_gap",
    "silence",
    "half_open",
    "disconnect",
    "shutdown",
    "slow_pong",
    "rest_down",
    "slow",
]
TRADE_KINDS = ("malformed", "truncate", "disorder", "duplicate")
"""Kinds that hit single trades; the first that hits decides."""
BOOK_KINDS = ("checksum", "book_gap")
"""Kinds that hit single book updates."""
INSTANT_KINDS = ("disconnect", "shutdown", "half_open")


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One fault as it is ordered; ``at`` is simulated seconds after the start (schedule only)."""

    kind: Kind
    exchange: str
    symbol: str | None = None
    seconds: float | None = None
    count: int | None = None
    probability: float = 1.0
    delay: float | None = None
    at: float = 0.0


class _Active(msgspec.Struct):
    fault: Fault
    until_us: int | None
    left: int | None


class Faults:
    """The faults of one venue."""

    def __init__(self, exchange: str, seed: int, ledger: Ledger) -> None:
        self._exchange = exchange
        self._ledger = ledger
        self._random = Random(hash_text(f"faults/{seed}/{exchange}"))
        self._active: list[_Active] = []
        self.missed: dict[str, list[int]] = {}

    @property
    def quiet(self) -> bool:
        """Whether nothing is broken: the fast path."""
        return not self._active

    def start(self, fault: Fault, now_us: int, **more: object) -> None:
        """Begin a fault that lasts, and write it into the ledger, with what else is known."""
        seconds = fault.seconds
        if seconds is None and fault.count is None:
            seconds = 30.0
        details = {
            name: value
            for name, value in msgspec.structs.asdict(fault).items()
            if name not in ("kind", "exchange", "at") and value is not None
        }
        details |= {"phase": "start", "now_us": now_us, **more}
        self._ledger.fault(fault.kind, self._exchange, **details)
        if fault.kind in INSTANT_KINDS:
            return
        until = None if seconds is None else now_us + round(seconds * 1_000_000)
        self._active.append(_Active(fault, until, fault.count))

    def expire(self, now_us: int) -> None:
        """End the faults whose time is over or whose count is used up."""
        for active in tuple(self._active):
            over = active.until_us is not None and now_us >= active.until_us
            if over or active.left == 0:
                self._active.remove(active)
                self._ended(active.fault, now_us)

    def _ended(self, fault: Fault, now_us: int) -> None:
        if fault.kind == "silence":
            for symbol, ids in self.missed.items():
                self._ledger.fault("silence", self._exchange, symbol=symbol, ids=ids)
            self.missed = {}
        self._ledger.fault(fault.kind, self._exchange, phase="end", now_us=now_us)

    def active(self, kind: Kind, symbol: str | None = None) -> Fault | None:
        """The running fault of a kind that concerns a symbol, if any."""
        for active in self._active:
            fault = active.fault
            if fault.kind == kind and (fault.symbol is None or fault.symbol == symbol):
                return fault
        return None

    def strikes(self, kind: Kind, symbol: str, **details: object) -> bool:
        """Whether a fault of a kind of ``BOOK_KINDS`` hits the update at hand."""
        for active in self._active:
            fault = active.fault
            concerned = fault.kind == kind and active.left != 0
            if not concerned or fault.symbol not in (None, symbol):
                continue
            if self._random.random() < fault.probability:
                if active.left is not None:
                    active.left -= 1
                self._ledger.fault(kind, self._exchange, symbol=symbol, **details)
                return True
        return False

    def fate(self, symbol: str, trade_id: int, time_us: int) -> tuple[Kind | None, int]:
        """What becomes of a trade: the kind of fault and a delay in µs where it has one.

        ``time_us`` is the trade's time on the simulated clock: a fault hits up to its own end,
        however time is cut into slices.
        """
        for active in self._active:
            fault = active.fault
            concerned = (
                (fault.symbol is None or fault.symbol == symbol)
                and active.left != 0
                and (active.until_us is None or time_us < active.until_us)
            )
            if not concerned:
                continue
            if fault.kind == "silence":
                self.missed.setdefault(symbol, []).append(trade_id)
                return "silence", 0
            if fault.kind in TRADE_KINDS and self._random.random() < fault.probability:
                if active.left is not None:
                    active.left -= 1
                return fault.kind, self._delay(fault, symbol, trade_id)
        return None, 0

    def _delay(self, fault: Fault, symbol: str, trade_id: int) -> int:
        longest = 2.0 if fault.delay is None else fault.delay
        delay = 0
        later = fault.kind == "duplicate" and self._random.random() < 0.5
        if later or fault.kind == "disorder":
            delay = round(longest * 1_000_000 * self._random.random())
        self._ledger.fault(
            fault.kind, self._exchange, symbol=symbol, ids=[trade_id], delay_us=delay
        )
        return delay

    def broken(self, kind: Kind, payload: bytes) -> bytes:
        """A frame as the fault leaves it; no sound parser takes a trade from it."""
        if kind == "truncate":
            return payload[: self._random.randrange(1, len(payload) - 1)]
        return malformed(payload, self._random.randrange(MALFORMED_KINDS))


MALFORMED_KINDS = 5
_PRICE = re.compile(rb'"(?:p|price)":("[^"]*"|[0-9.]+)')


def malformed(payload: bytes, variant: int) -> bytes:
    """A frame with one trade, broken in one of ``MALFORMED_KINDS`` ways."""
    found = _PRICE.search(payload)
    assert found is not None, payload
    if variant == 0:
        return payload.replace(b'":', b'";', 3)
    if variant == 1:
        return b"<html><body>502 Bad Gateway</body></html>"
    price = (b'"not a price"', b"null", b'"12,5"')[variant - 2]
    return payload[: found.start(1)] + price + payload[found.end(1) :]


def load_schedule(path: Path) -> list[Fault]:
    """The faults of a JSON file (a list), by time; msgspec errors name what is wrong."""
    return in_order(msgspec.json.decode(path.read_bytes(), type=list[Fault]))


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Faults by simulated time."""
    return sorted(faults, key=lambda fault: fault.at)
