"""The classification: every error with every status is one failure."""

import sqlite3

import peewee
import pytest
from curl_cffi.requests import exceptions as http
from hypothesis import given
from hypothesis import strategies as st
from yfinance import exceptions as yf

from connectors.stocks.bars import Failure
from connectors.stocks.failures import classify

pytestmark = pytest.mark.airflow

MISSING = yf.YFPricesMissingError("7203.T", "")
OUTSIDE = yf.YFPricesMissingError("7203.T", "", "Data doesn't exist for startDate = 1, endDate = 2")
GONE = yf.YFPricesMissingError("7203.T", "", "No data found, symbol may be delisted")
CHART = b'{"chart":{"result":[]}}'

TABLE = [
    (http.Timeout(""), None, Failure.TIMEOUT),
    (http.ReadTimeout(""), None, Failure.TIMEOUT),
    (http.ConnectTimeout(""), None, Failure.TIMEOUT),
    (http.ConnectionError(""), None, Failure.CONNECTION),
    (http.IncompleteRead(""), None, Failure.CONNECTION),
    (http.ChunkedEncodingError(""), None, Failure.CONNECTION),
    (http.RequestException(""), None, Failure.CONNECTION),
    (http.DNSError(""), None, Failure.UNREACHABLE),
    (http.ProxyError(""), None, Failure.UNREACHABLE),
    (http.SSLError(""), None, Failure.UNREACHABLE),
    (http.CertificateVerifyError(""), None, Failure.UNREACHABLE),
    (http.ContentDecodingError(""), None, Failure.MALFORMED),
    (yf.YFRateLimitError(), 429, Failure.RATE_LIMITED),
    (ValueError(""), 999, Failure.RATE_LIMITED),
    (ValueError(""), 502, Failure.SERVER_ERROR),
    (MISSING, 500, Failure.SERVER_ERROR),
    (KeyError("chart"), 401, Failure.UNAUTHORIZED),
    (ValueError(""), 403, Failure.FORBIDDEN),
    (GONE, 404, Failure.NOT_FOUND),
    (ValueError(""), 404, Failure.NOT_FOUND),
    (ValueError(""), 407, Failure.UNREACHABLE),
    (ValueError(""), 408, Failure.TIMEOUT),
    (OUTSIDE, 400, Failure.NO_DATA),
    (MISSING, 400, Failure.BAD_REQUEST),
    (ValueError(""), 422, Failure.BAD_REQUEST),
    (OUTSIDE, 200, Failure.NO_DATA),
    (GONE, 200, Failure.NOT_FOUND),
    (MISSING, 200, Failure.EMPTY),
    (ValueError(""), 200, Failure.MALFORMED),
    (KeyError("timestamp"), 200, Failure.MALFORMED),
    (yf.YFDataException("down"), 200, Failure.MALFORMED),
    (yf.YFInvalidPeriodError("7203.T", "7x", "1d"), 200, Failure.BAD_REQUEST),
    (ValueError("period"), None, Failure.BAD_REQUEST),
    (yf.YFDataException("unsupported session"), None, Failure.LOCAL),
    (yf.YFTzMissingError("7203.T"), None, Failure.LOCAL),
    (peewee.OperationalError("database is locked"), None, Failure.LOCAL),
    (peewee.IntegrityError(""), 200, Failure.LOCAL),
    (sqlite3.OperationalError(""), None, Failure.LOCAL),
    (OSError(28, "No space left on device"), None, Failure.LOCAL),
    (RuntimeError(""), None, Failure.UNEXPECTED),
    (RuntimeError(""), 200, Failure.UNEXPECTED),
]


@pytest.mark.parametrize(("error", "status", "expected"), TABLE)
def test_classifies(error: Exception, status: int | None, expected: Failure) -> None:
    """The whole table of what yfinance raises."""
    assert classify(error, status, CHART) is expected


def test_an_answer_that_is_no_chart_is_malformed() -> None:
    """yfinance says "no price data" for it too."""
    assert classify(MISSING, 200, b"[]") is Failure.MALFORMED


errors = st.sampled_from([error for error, _, _ in TABLE])


@given(errors, st.none() | st.integers(100, 999), st.binary(max_size=50))
def test_is_total(error: Exception, status: int | None, body: bytes) -> None:
    """No error and no status is left without a failure."""
    assert classify(error, status, body) in Failure


@given(errors, st.integers(500, 998))
def test_a_broken_server_is_never_the_symbols_fault(error: Exception, status: int) -> None:
    """The status decides, not yfinance's words for it."""
    assert classify(error, status, CHART) not in {
        Failure.NOT_FOUND,
        Failure.NO_DATA,
        Failure.EMPTY,
        Failure.BAD_REQUEST,
    }
