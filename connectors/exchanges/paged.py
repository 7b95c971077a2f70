"""What the REST side of most venues shares: listings, and trades that are paged newest first."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from connectors.events import SCHEMA_VERSION, Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    MAX_FUTURE,
    DeadLetter,
    Instrument,
    ResponseError,
    Subscription,
    Venue,
    Wanted,
)
from connectors.exchanges.tolerant import TolerantParser, TradeFields

FINEST = "0.00000001"
"""Tick and lot of venues that publish none: the finest step that any of their markets uses."""


class PagedVenue(Venue):
    """A venue whose parser is a `TolerantParser`; the methods below the line differ."""

    parser_type: ClassVar[type[TolerantParser]]
    path: ClassVar[str] = ""
    """What follows the WebSocket address."""
    page: ClassVar[int]
    """Most trades of one REST answer."""

    def ws_url(self, subscriptions: Sequence[Subscription], base: str) -> str:
        """Return the address; subscriptions follow as requests."""
        return base.rstrip("/") + self.path

    def parser(
        self, instruments: Iterable[Instrument], source: str, max_future: int = MAX_FUTURE
    ) -> TolerantParser:
        """Return the protocol state of a new connection."""
        return self.parser_type(instruments, source, max_future)

    def parse_instruments(self, body: bytes, symbols: Sequence[str]) -> list[Instrument]:
        """Read the listing; see `Venue.parse_instruments`."""
        listed = self.listed(body)
        return listing(self, listed, symbols, self.steps)

    def catalogue(self, body: bytes) -> list[str]:
        """Read the listing's native symbols."""
        return list(self.listed(body))

    def parse_trades(
        self,
        body: bytes,
        instrument: Instrument,
        ts_recv: int,
        source: str,
        max_future: int = MAX_FUTURE,
    ) -> list[Trade | DeadLetter]:
        """Read one page; see `Venue.parse_trades`."""
        rows = self.trade_rows(body)
        head = (self.name, instrument, ts_recv, source, max_future)
        return trade_page(rows, self.trade_fields, *head)

    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """Return what precedes the page's first trade, if the venue has more.

        Ids have holes, so the end is a trade before the range, or a page that is not full.
        """
        first = min((one.trade_seq for one in page if isinstance(one, Trade)), default=-1)
        beyond = wanted.to_id is not None and first > wanted.to_id
        if first < wanted.from_id or beyond or len(page) < self.page:
            return None
        return wanted._replace(to_id=first - 1)

    # -- what differs

    @abstractmethod
    def listed(self, body: bytes) -> Mapping[str, Mapping[str, Any]]:
        """Return the rows of a listing by native symbol. ResponseError where it is none."""

    @abstractmethod
    def steps(self, row: Mapping[str, Any]) -> tuple[object, object]:
        """Return tick and lot of a row, unchecked."""

    @abstractmethod
    def trade_rows(self, body: bytes) -> list[Any]:
        """Return the rows of a page of trades. ResponseError where it is none."""

    @abstractmethod
    def trade_fields(self, row: Any) -> TradeFields:
        """Read a row, or reject it."""


def trade_page(
    rows: Iterable[Any],
    read: Callable[[Any], TradeFields],
    exchange: str,
    instrument: Instrument,
    ts_recv: int,
    source: str,
    max_future: int,
) -> list[Trade | DeadLetter]:
    """Return the trades of REST rows, ascending; ``read`` gives a row's fields or rejects it."""
    symbol, native = instrument.symbol, instrument.native_symbol
    found: list[Trade | DeadLetter] = []
    for row in rows:
        try:
            fields = read(row)
            time = checks.event_time(fields[0], ts_recv, max_future)
            found.append(
                Trade(
                    exchange, symbol, native, time, ts_recv, source, "venue", SCHEMA_VERSION,
                    *fields[1:],
                )
            )  # fmt: skip
        except checks.Reject as reject:
            raw = checks.raw(row)
            found.append(DeadLetter(reject.reason, reject.detail, symbol, "trades", raw))
    return checks.ascending(found)


def listing(
    venue: Venue,
    listed: Mapping[str, Mapping[str, Any]],
    symbols: Sequence[str],
    steps: Callable[[Mapping[str, Any]], tuple[object, object]],
) -> list[Instrument]:
    """Return the instruments of ``symbols``. ResponseError names all that cannot be used."""
    found, faults = [], []
    for symbol in symbols:
        native = venue.native_symbol(symbol)
        try:
            row = listed.get(native)
            if row is None:
                raise checks.Reject("symbol", "not listed")
            tick, lot = steps(row)
            found.append(
                Instrument(
                    symbol, native, checks.price(tick, "tick size"), checks.size(lot, "lot size")
                )
            )
        except checks.Reject as reject:
            faults.append(f"{symbol}: {reject.detail}")
    if faults:
        raise ResponseError(f"{venue.name}: " + "; ".join(faults))
    return found


def answer(body: bytes, venue: str, *path: str, numbers: bool = False) -> Any:
    """Return what lies at ``path`` in a REST answer. ResponseError quotes the answer if nothing."""
    try:
        value = checks.decoded(body, numbers=numbers)
        for name in path:
            value = checks.mapping(value, "answer").get(name)
        if value is None:
            raise checks.Reject("malformed", f"no {'.'.join(path)}")
    except checks.Reject as reject:
        shown = checks.shown(body, 300)
        raise ResponseError(f"{venue}: {reject.detail}; the answer: {shown}") from reject
    return value


def objects(body: bytes, venue: str, *path: str, numbers: bool = False) -> list[dict[str, Any]]:
    """Return the objects of the array at ``path``. ResponseError where it is no such array."""
    rows = answer(body, venue, *path, numbers=numbers)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        shown = checks.shown(body, 300)
        raise ResponseError(f"{venue}: no array of objects; the answer: {shown}")
    return rows


def with_ordinals(
    rows: list[dict[str, Any]], key: Callable[[dict[str, Any]], object], full: bool
) -> list[dict[str, Any]]:
    """Number the rows of a page (newest first) within their group, oldest first.

    For composed trade numbers: the row gets ``ordinal``, its place among the rows of its key. The
    oldest group of a full page may have begun before the page, so its places are unknown: it is
    left out.
    """
    oldest_first = rows[::-1]
    if full and oldest_first:
        cut = key(oldest_first[0])
        oldest_first = [row for row in oldest_first if key(row) != cut]
    last, count = object(), 0
    for row in oldest_first:
        count = count + 1 if key(row) == last else 0
        last = key(row)
        row["ordinal"] = count
    return oldest_first
