"""What a source of daily bars gives, and how it fails."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple, Protocol


class Bar(NamedTuple):
    """One session of one stock, as the source states it.

    Prices are in the listing's currency and adjusted for splits, not for dividends; `adj_close`
    is adjusted for both. A price or volume that the source does not know is None.
    """

    trade_date: date
    """Session in the exchange's own calendar."""
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    adj_close: float | None
    volume: int | None
    """Shares, adjusted for splits."""
    dividends: float = 0.0
    """Per share, paid to holders of the day before."""
    splits: float = 0.0
    """New shares for one old share, effective from this session; 0: none."""


class Failure(StrEnum):
    """Why a fetch gave no bars, whatever the source's own words for it."""

    RATE_LIMITED = "rate_limited"
    """429: everybody has to slow down."""
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Reset, refused, empty reply, short body."""
    SERVER_ERROR = "server_error"
    """5xx, with whatever body."""
    MALFORMED = "malformed"
    """A 200 that is not what was asked for: truncated JSON, HTML."""
    EMPTY = "empty"
    """A 200 without any bar: perhaps a passing fault, perhaps there is nothing."""
    NO_DATA = "no_data"
    """The source says that it has no bars in the window asked for. Not an error."""
    NOT_FOUND = "not_found"
    """The source does not know the symbol."""
    UNAUTHORIZED = "unauthorized"
    """401, after the session was renewed once."""
    FORBIDDEN = "forbidden"
    """403."""
    UNREACHABLE = "unreachable"
    """DNS, proxy, TLS: no symbol can be fetched."""
    BAD_REQUEST = "bad_request"
    """What we asked for makes no sense (a period that does not exist): our mistake."""
    LOCAL = "local"
    """Our own side: cache folder, unsupported session."""
    UNEXPECTED = "unexpected"
    """Nothing of the above."""


class FetchError(Exception):
    """A fetch failed. `status` is the last HTTP status, None where there was no answer."""

    def __init__(self, failure: Failure, text: str, status: int | None = None) -> None:
        self.failure = failure
        self.status = status
        where = f" (HTTP {status})" if status else ""
        super().__init__(f"{failure}{where}: {text}")


class BarSource(Protocol):
    """Where daily bars come from."""

    @property
    def http_calls(self) -> int:
        """HTTP calls so far, all that went out."""
        ...

    def daily_bars(self, symbol: str, start: date | None, end: date | None) -> Sequence[Bar]:
        """Bars of the sessions in [start, end], oldest first; without `start` the whole history.

        FetchError where there are none.
        """
        ...
