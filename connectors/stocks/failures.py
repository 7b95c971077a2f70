"""Why a fetch failed: from yfinance's exception and the last HTTP status to a `Failure`.

Both are needed. yfinance raises the same error for a symbol that does not exist and for a server
that is broken, and an HTML page is a JSON error whatever its status.

Imports curl_cffi and yfinance: import it only where bars are fetched.
"""

import sqlite3

import peewee  # type: ignore[import-untyped]
from curl_cffi.requests import exceptions as http
from yfinance.exceptions import (
    YFDataException,
    YFInvalidPeriodError,
    YFPricesMissingError,
    YFRateLimitError,
    YFTzMissingError,
)

from connectors.stocks.bars import Failure

OUTSIDE_WINDOW = "data doesn't exist for startdate"
"""Yahoo's words for a window before the listing or after its end."""
NO_SUCH_SYMBOL = ("no data found", "not found", "delisted")
CHART = b'"chart"'
CHART_WITHIN = 100
"""Bytes at the start of an answer in which a chart says that it is one."""
TOO_MANY = frozenset({429, 999})
"""999 is Yahoo's own "request denied", for the same reason."""

TRANSPORT: tuple[tuple[type[Exception], Failure], ...] = (
    (http.Timeout, Failure.TIMEOUT),
    (http.DNSError, Failure.UNREACHABLE),
    (http.ProxyError, Failure.UNREACHABLE),
    (http.SSLError, Failure.UNREACHABLE),
    (http.ConnectionError, Failure.CONNECTION),
    (http.IncompleteRead, Failure.CONNECTION),
    (http.ChunkedEncodingError, Failure.CONNECTION),
    (http.ContentDecodingError, Failure.MALFORMED),
)
"""In this order: a timeout while connecting is also a connection error."""
LOCAL = (
    peewee.PeeweeException,
    sqlite3.Error,
    YFTzMissingError,
    YFDataException,
    OSError,
)
"""Where no answer came: our cache or our session. The time zone is known beforehand."""
BY_STATUS = {
    401: Failure.UNAUTHORIZED,
    403: Failure.FORBIDDEN,
    404: Failure.NOT_FOUND,
    407: Failure.UNREACHABLE,
    408: Failure.TIMEOUT,
    410: Failure.NOT_FOUND,
    425: Failure.SERVER_ERROR,
}


def classify(error: BaseException, status: int | None, body: bytes = b"") -> Failure:
    """What ``error`` means after a last answer with ``status`` and ``body``.

    A ``status`` of None says that no answer came.
    """
    for kind, failure in TRANSPORT:
        if isinstance(error, kind):
            return failure
    if isinstance(error, YFRateLimitError) or status in TOO_MANY:
        return Failure.RATE_LIMITED
    if status is None:
        return _without_answer(error)
    if status >= 500:
        return Failure.SERVER_ERROR
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 400:
        return Failure.NO_DATA if _says(error, OUTSIDE_WINDOW) else Failure.BAD_REQUEST
    return _of_success(error, body)


def _without_answer(error: BaseException) -> Failure:
    """Nothing was asked for, or the network failed in an unforeseen way."""
    if isinstance(error, http.RequestException):
        return Failure.CONNECTION
    if isinstance(error, LOCAL):
        return Failure.LOCAL
    if isinstance(error, (ValueError, YFInvalidPeriodError)):
        return Failure.BAD_REQUEST
    return Failure.UNEXPECTED


def _of_success(error: BaseException, body: bytes) -> Failure:
    """Yahoo said that all was well, yfinance could not use it."""
    if isinstance(error, YFPricesMissingError):
        return _by_reason(error, body)
    if isinstance(error, YFInvalidPeriodError):
        return Failure.BAD_REQUEST
    if isinstance(error, (peewee.PeeweeException, sqlite3.Error)):
        return Failure.LOCAL
    if isinstance(error, (ValueError, LookupError, TypeError, AttributeError, YFDataException)):
        return Failure.MALFORMED
    return Failure.UNEXPECTED


def _by_reason(error: YFPricesMissingError, body: bytes) -> Failure:
    if error.yahoo_reason is None:
        return Failure.EMPTY if CHART in body[:CHART_WITHIN] else Failure.MALFORMED
    if _says(error, OUTSIDE_WINDOW):
        return Failure.NO_DATA
    if _says(error, *NO_SUCH_SYMBOL):
        return Failure.NOT_FOUND
    return Failure.SERVER_ERROR


def _says(error: BaseException, *phrases: str) -> bool:
    """Yahoo gave a reason, and it holds one of the phrases."""
    reason = str(getattr(error, "yahoo_reason", None) or "").lower()
    return any(phrase in reason for phrase in phrases)
