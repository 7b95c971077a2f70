"""What the parsers of most venues share: decode a frame, read its parts, set the bad ones aside.

A venue's parser derives from `TolerantParser` and writes two things: the requests, and ``read``,
which turns a decoded frame into items with the checks of `connectors.exchanges.checks`. A `Reject`
raised anywhere becomes a dead letter: of one part inside ``parts``, of the frame outside it.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec

from connectors.events import SCHEMA_VERSION, BookUpdate, Level, Quote, Side, TimeSource, Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    Channel,
    DeadLetter,
    Ignored,
    Instrument,
    Item,
    Parser,
    Subscribed,
    Subscription,
    VenueHeartbeat,
)

T = TypeVar("T")
TradeFields = tuple[int, str, int, str, str, Side]
"""Time in µs, id, seq, price, size, aggressor: of a frame or of a REST row."""

SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell"}

encode = msgspec.json.Encoder().encode


def side(value: object) -> Side:
    """Return the aggressor where the venue writes the taker's side, in any case; else unknown."""
    return SIDES.get(value.lower(), "unknown") if isinstance(value, str) else "unknown"


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Cut into parts of at most ``size``."""
    return [items[start : start + size] for start in range(0, len(items), size)]


class TolerantParser(Parser):
    """One connection: its instruments, what was asked and confirmed, where its books stand."""

    venue: ClassVar[str]
    numbers: ClassVar[bool] = False
    """The venue sends prices as JSON numbers: keep their digits."""
    pong: ClassVar[bytes | None] = None
    """The answer to `keepalive_frame` where it is no JSON."""

    def __init__(self, instruments: Iterable[Instrument], source: str, max_future: int) -> None:
        """Read frames of these instruments; events carry ``source``; ``max_future`` is in µs."""
        self.instruments: dict[str, Instrument] = {}
        self.symbols: dict[str, str] = {}
        self.natives: dict[str, str] = {}
        self._unchained: set[str] = set()
        self.learn(instruments)
        self.source = source
        self.max_future = max_future
        self.wanted: set[Subscription] = set()
        self.asked: dict[object, tuple[bool, tuple[Subscription, ...]]] = {}
        """Requests by id: whether they add, and what."""
        self._active: frozenset[Subscription] = frozenset()
        self._last_request = 0
        self._book_sequence: dict[str, int] = {}
        self._ordinals: dict[str, tuple[object, int]] = {}

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """See `Parser.learn`."""
        for one in instruments:
            native = one.native_symbol
            if native not in self.instruments:
                self._unchained.add(native)
            self.instruments[native] = one
            self.symbols[native] = one.symbol
            self.natives[one.symbol] = native

    # -- requests

    def subscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """See `Parser.subscribe_frames`. ValueError names what this connection cannot have."""
        asked = self._known(subscriptions)
        frames = self.request(True, asked)
        self.wanted.update(asked)
        return frames

    def unsubscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """See `Parser.unsubscribe_frames`."""
        asked = self._known(subscriptions)
        self.wanted.difference_update(asked)
        return self.request(False, asked)

    @abstractmethod
    def request(self, added: bool, subscriptions: list[Subscription]) -> list[bytes]:
        """Return the frames that add or end these subscriptions (checked, without repeats)."""

    @abstractmethod
    def channels(self) -> Iterable[Channel]:
        """Return the channels that the venue has."""

    def _known(self, subscriptions: Iterable[Subscription]) -> list[Subscription]:
        asked = list(dict.fromkeys(subscriptions))
        for channel, symbol in asked:
            if channel not in self.channels():
                raise ValueError(f"{self.venue} has no channel {channel}")
            if symbol not in self.natives:
                raise ValueError(f"{symbol} is no instrument of this connection")
        return asked

    def numbered(self, added: bool, subscriptions: Iterable[Subscription]) -> int:
        """Return the id of a new request; ``asked`` remembers it."""
        self._last_request += 1
        self.asked[self._last_request] = (added, tuple(subscriptions))
        return self._last_request

    def wants(self, channel: Channel, symbol: str) -> bool:
        """Say whether this was asked for; a parser that never asked (a replay) wants all."""
        return not self.wanted or Subscription(channel, symbol) in self.wanted

    def confirmed(self, added: bool, subscriptions: Iterable[Subscription]) -> Subscribed:
        """Take note of a confirmation."""
        changed = frozenset(subscriptions)
        self._active = self._active | changed if added else self._active - changed
        return Subscribed(self._active)

    # -- frames

    def parse(self, frame: bytes, ts_recv: int) -> list[Item]:
        """See `Parser.parse`."""
        if frame == self.pong:
            return [VenueHeartbeat()]
        try:
            message = checks.decoded(frame, numbers=self.numbers)
            return self.read(message, frame, ts_recv) or [Ignored("nothing in it")]
        except checks.Reject as reject:
            return [DeadLetter(reject.reason, reject.detail, None, None, frame)]

    @abstractmethod
    def read(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        """Say what a decoded frame means. Raises nothing but `checks.Reject`."""

    def parts(
        self,
        channel: Channel,
        native: object,
        rows: Sequence[object],
        read: Callable[[Any, str], Item | list[Item]],
        frame: bytes,
    ) -> list[Item]:
        """Read the rows of one symbol's frame one by one; trades come out ascending."""
        found: list[Item] = []
        symbol = None
        for row in rows:
            try:
                symbol = checks.known_symbol(native, self.symbols)
                items = read(row, str(native))
                found += items if isinstance(items, list) else [items]
            except checks.Reject as reject:
                if channel == "books" and isinstance(native, str):
                    self.unchain(native)
                raw = frame if len(rows) == 1 else checks.raw(row)
                found.append(DeadLetter(reject.reason, reject.detail, symbol, channel, raw))
        return sorted(found, key=by_order) if channel == "trades" else found

    def head(self, native: str, time: int | None, ts_recv: int) -> checks.Head:
        """Return the common fields; ``time`` in µs, None where the venue sends none."""
        ts_source: TimeSource = "receipt" if time is None else "venue"
        if time is None:
            time = ts_recv
        else:
            checks.event_time(time, ts_recv, self.max_future)
        symbol = self.symbols[native]
        return (
            self.venue, symbol, native, time, ts_recv, self.source, ts_source, SCHEMA_VERSION
        )  # fmt: skip

    def trade(self, native: str, fields: TradeFields, ts_recv: int) -> Trade:
        """Return the event of a trade's fields."""
        return Trade(*self.head(native, fields[0], ts_recv), *fields[1:])

    def ordinal(self, native: str, key: object) -> int:
        """Return how many trades with this key, in a row, came before this one."""
        last, count = self._ordinals.get(native, (None, -1))
        count = count + 1 if key == last else 0
        self._ordinals[native] = (key, count)
        return count

    # -- books

    def book(
        self, head: checks.Head, is_snapshot: bool, bids: list[Level], asks: list[Level]
    ) -> BookUpdate:
        """Return a book's event with a sequence of our own, for venues that send none.

        An update follows the last one of this connection; ``prev_sequence`` is -1 for snapshots,
        before the first snapshot, and after anything of the book was lost.
        """
        native = head[2]
        last = self._book_sequence.get(native, 0)
        self._book_sequence[native] = last + 1
        if is_snapshot:
            self._unchained.discard(native)
        previous = -1 if is_snapshot or native in self._unchained else last
        return BookUpdate(*head, is_snapshot, bids, asks, last + 1, previous, 1)

    def whole_book(self, head: checks.Head, bids: list[Level], asks: list[Level]) -> list[Item]:
        """Return what is wanted of a frame that is a whole book: its best levels, the book."""
        found: list[Item] = []
        if self.wants("quotes", head[1]):
            found.append(top(head, bids, asks, None))
        if self.wants("books", head[1]):
            found.append(self.book(head, True, bids, asks))
        return found or [Ignored("a book that nobody wants")]

    def unchain(self, native: str) -> None:
        """Take note that something of this book was lost."""
        self._unchained.add(native)


def top(head: checks.Head, bids: list[Level], asks: list[Level], sequence: int | None) -> Quote:
    """Return the quote of a book whose best levels come first; zeros for an empty side."""
    bid = bids[0] if bids else ("0", "0")
    ask = asks[0] if asks else ("0", "0")
    return Quote(*head, *bid, *ask, sequence)


def ohlc(*values: object) -> tuple[str, str, str, str]:
    """Return open, high, low and close, checked."""
    first, high, low, last = (
        checks.price(checks.number(value), name)
        for value, name in zip(values, ("open", "high", "low", "close"), strict=True)
    )
    return first, high, low, last


def minute(begin: int, minutes: int = 1) -> tuple[int, int]:
    """Return open and close time, µs, of a bar; it ends 1 ms before the next, as Binance's."""
    return begin, begin + minutes * 60_000_000 - 1000


def by_order(item: Item) -> int:
    """Return a trade's place; what is none comes last."""
    return item.trade_seq if isinstance(item, Trade) else checks.MAX_ID
