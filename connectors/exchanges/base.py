"""What a venue adapter is: the contract between the venues and the feed that runs them.

An adapter never does I/O and never reads a clock. The feed opens the socket and hands over
bytes; the adapter says what to send and what came in:

    venue = registry.venue("binance")
    body = get(venue.instruments_request(symbols, rest_base))
    instruments = venue.parse_instruments(body, symbols)
    parser = venue.parser(instruments, source="binance-1")        # one per connection
    for request in parser.subscribe_frames(subscriptions):        # it numbers its requests
        send(request)
    for item in parser.parse(frame, ts_recv):                     # never empty, never raises
        ...

``parse`` returns a list of items, each one of

- an event (`Trade`, `Quote`, `BookUpdate`, `Candle`), complete and valid, ready to publish;
- a `DeadLetter`: the frame, or one part of it, that must not become an event;
- a control: `Subscribed`, `VenueHeartbeat`, `VenueError`, `ReconnectRequest`, `SequenceGap`,
  `BookBroken`, `Ignored`. All are subclasses of `Control`.

So every frame is accounted for. One frame may give several items: the good trades of a batch are
events even where one of them is a dead letter. Trades come in the venue's order made ascending by
``trade_seq``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from connectors.events import BookUpdate, Candle, Quote, Trade

Channel = Literal["trades", "quotes", "books", "candles"]

Numbering = Literal["consecutive", "rising", "composed"]
"""What ``trade_seq`` tells about missing trades:

- ``consecutive``: the venue numbers the trades of a symbol without holes, so a hole is a missing
  trade;
- ``rising``: the venue's ids rise per symbol but leave numbers out;
- ``composed``: the venue sends no number, the adapter makes one that rises in the venue's order
  and is the same for the same trade on every connection and by REST.

Without consecutive numbers only REST can tell whether something is missing: an answer that goes
back to the last known trade is complete.
"""

MAX_FUTURE = 60_000_000
"""An event may lie this far ahead of its receipt, in µs; further ahead is a dead letter."""

DeadReason = Literal["malformed", "price", "size", "trade_id", "time", "future", "text", "symbol"]
"""Why a frame or a part of it is no event:

- ``malformed``: not JSON, or not of the shape the venue documents;
- ``price``, ``size``: no plain decimal number that is positive and fits DECIMAL(19, 10) / (18, 8);
- ``trade_id``: missing, or not an integer that fits 63 bits;
- ``time``: null, zero, negative or unreadable;
- ``future``: further ahead of the receipt than ``max_future``;
- ``text``: holds U+0000 or a lone surrogate (PostgreSQL and JSON readers refuse them);
- ``symbol``: not one of the parser's instruments.
"""


class Subscription(NamedTuple):
    """One channel of one symbol."""

    channel: Channel
    symbol: str
    """Normalised, for example ``BTC-USDT``."""


class Instrument(Struct, frozen=True):
    """What a venue lists. Tick and lot are decimal text and fit the event schema."""

    symbol: str
    native_symbol: str
    tick_size: str
    lot_size: str


class DeadLetter(Struct, frozen=True):
    """A frame, or one part of a frame, that must not become an event."""

    reason: DeadReason
    detail: str
    """In words, always valid text; long values are shortened."""
    symbol: str | None
    """Normalised symbol where it is known, so that the status event can name it."""
    channel: str | None
    raw: bytes
    """The whole frame, or the JSON text of the bad part of it. Any bytes: not always UTF-8."""


class Control(Struct, frozen=True):
    """A frame that is no market data."""


class Subscribed(Control, frozen=True):
    """The venue confirmed: ``active`` is now the whole set of confirmed subscriptions."""

    active: frozenset[Subscription]


class VenueHeartbeat(Control, frozen=True):
    """The connection lives. Says nothing about any symbol."""


class VenueError(Control, frozen=True):
    """The venue refused something. ``rejected`` names what it will not send, where it says so."""

    code: str
    message: str
    rejected: tuple[Subscription, ...]


class ReconnectRequest(Control, frozen=True):
    """The venue is about to close this connection: open another one at once."""

    message: str


class SequenceGap(Control, frozen=True):
    """The connection's own frame counter jumped: frames ``from_id``..``to_id`` never came.

    Which channels they belonged to is unknown. Books: the parser makes the next update of every
    symbol break the chain (its ``prev_sequence`` is not the last ``sequence``), so readers see it.
    Trades: their own ids tell what is missing. ``from_id > to_id`` means that the counter went
    back (the venue restarted its session).
    """

    from_id: int
    to_id: int


class BookBroken(Control, frozen=True):
    """A book's checksum or chain failed: subscribe this symbol's book anew, touch no other."""

    symbol: str
    cause: str


class Ignored(Control, frozen=True):
    """A well-formed frame (or part) of no interest: another channel, a quote without sizes."""

    what: str


Item: TypeAlias = Trade | Quote | BookUpdate | Candle | DeadLetter | Control


class Limits(NamedTuple):
    """What the venue allows and what the feed should expect; times in seconds."""

    subscriptions: int
    """Most subscriptions on one connection; beyond it open another."""
    messages_per_second: float
    """Most frames to send on one connection."""
    silence: float
    """No frame of any kind for so long means that the connection is dead."""
    stale: Mapping[str, float]
    """Per channel: a symbol without an event for so long is reported stale."""
    renew: float
    """Replace a connection before it is this old (the venue cuts it)."""
    ping_interval: float | None
    """Send WebSocket pings this often; None where the server pings and only pongs are due."""
    ping_timeout: float
    rest_interval: float
    """Mean time between two REST calls in the long run."""
    rest_burst: int
    """Calls that may go at once after a pause: a reconnect asks for every symbol."""
    keepalive: float | None = None
    """Send `Parser.keepalive_frame` this often; None where the venue wants none."""
    connects_per_minute: float = 60.0
    """Most connection attempts."""


class Wanted(NamedTuple):
    """A range of one symbol's trades to be asked of REST, both ends inclusive."""

    from_id: int
    to_id: int | None
    """None: up to now."""
    since: int = 0
    """Venue time of the last trade known before the range, µs, for venues that page by time; 0
    where none is known."""


class ResponseError(ValueError):
    """A REST answer that is not what the venue documents, or a listing that cannot be used."""


class Parser(ABC):
    """The protocol state of one connection. Make a new one for each connect."""

    @abstractmethod
    def learn(self, instruments: Iterable[Instrument]) -> None:
        """Read frames of these instruments too, from now on."""

    @abstractmethod
    def subscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """Requests to send, in order; each at most as large as the venue allows."""

    @abstractmethod
    def unsubscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """Requests that end these subscriptions."""

    def keepalive_frame(self) -> bytes | None:
        """Return the venue's own ping, a text frame, where `Limits.keepalive` asks for one."""
        return None

    @abstractmethod
    def parse(self, frame: bytes, ts_recv: int) -> list[Item]:
        """Say what a frame means; ``ts_recv`` is its receipt in µs. Never empty, never raises."""


class Venue(ABC):
    """One exchange: addresses, limits, protocol, REST answers. Stateless."""

    name: ClassVar[str]
    limits: ClassVar[Limits]
    numbering: ClassVar[Numbering] = "consecutive"
    channels: ClassVar[frozenset[Channel]] = frozenset({"trades", "quotes", "books", "candles"})
    """What the venue has."""
    confirms: ClassVar[bool] = True
    """False where the venue answers no subscription: it then counts as confirmed once sent."""

    @abstractmethod
    def native_symbol(self, symbol: str) -> str:
        """Return the venue's spelling of ``BTC-USDT``. ValueError where it is no symbol."""

    @abstractmethod
    def ws_url(self, subscriptions: Sequence[Subscription], base: str) -> str:
        """Return the address to connect to, for example ``wss://host:9443/stream``."""

    @abstractmethod
    def parser(
        self, instruments: Iterable[Instrument], source: str, max_future: int = MAX_FUTURE
    ) -> Parser:
        """Return the protocol state of a new connection; events carry ``source``."""

    @abstractmethod
    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL (GET) that describes these symbols."""

    @abstractmethod
    def parse_instruments(self, body: bytes, symbols: Sequence[str]) -> list[Instrument]:
        """Read that answer, in the order of ``symbols``.

        ResponseError names every symbol that is not listed or whose tick or lot size does not fit
        DECIMAL(19, 10) / (18, 8).
        """

    def catalogue_request(self, rest_base: str) -> str:
        """Return the URL (GET) of all that the venue lists."""
        return self.instruments_request([], rest_base)

    @abstractmethod
    def catalogue(self, body: bytes) -> list[str]:
        """Read that answer: all native symbols. ResponseError where it is no such answer."""

    @abstractmethod
    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL (GET) of one page of the trades wanted.

        The answer may hold trades outside the range. Where ids are not consecutive it must reach
        back to the last known trade, ``from_id - 1``, if the venue still has it.
        """

    @abstractmethod
    def parse_trades(
        self,
        body: bytes,
        instrument: Instrument,
        ts_recv: int,
        source: str,
        max_future: int = MAX_FUTURE,
    ) -> list[Trade | DeadLetter]:
        """Read one page, ascending by ``trade_seq``. ResponseError where it is no such answer."""

    @abstractmethod
    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """Return what is still to be asked after ``page`` (as parsed), or None.

        The next range is always smaller, so a caller that repeats until None ends.
        """

    def book_request(self, instrument: Instrument, rest_base: str) -> str | None:
        """Return the URL (GET) of a whole book, or None where the stream brings its own."""
        return None

    def parse_book(
        self, body: bytes, instrument: Instrument, ts_recv: int, source: str
    ) -> BookUpdate:
        """Read that answer as a snapshot. ResponseError where it is no such answer."""
        raise NotImplementedError(f"{self.name} brings its books by the stream")
