"""How the source fails: each failure of a loopback Yahoo by its name, at the cost of one call."""

import time
from datetime import date
from pathlib import Path

import pytest

from connectors.stocks.bars import Failure
from connectors.stocks.yahoo import YahooSource
from tests.connectors.stocks import upstream as yahoo
from tests.connectors.stocks.fetching import ROWS, Throttle, failure, fetch, settings_of
from tests.connectors.stocks.upstream import Reply, Row, Upstream, chart, refusal

NOISE = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
"""pytest undoes the source's own filter of what pandas says to yfinance."""
pytestmark = [pytest.mark.airflow, NOISE]

RESULTLESS = Reply(body={"chart": {"result": None, "error": None}})
FAILURES = [
    (Reply(429, "Too Many Requests"), Failure.RATE_LIMITED, 429),
    (yahoo.NOT_FOUND, Failure.NOT_FOUND, 404),
    (yahoo.OUTSIDE, Failure.NO_DATA, 400),
    (refusal(400, "Bad Request", "Invalid input"), Failure.BAD_REQUEST, 400),
    (yahoo.EMPTY, Failure.EMPTY, 200),
    (RESULTLESS, Failure.EMPTY, 200),
    (chart([Row(date(2024, 1, 4))]), Failure.EMPTY, 200),
    (Reply(500, "<html>"), Failure.SERVER_ERROR, 500),
    (refusal(500, "Internal", "upstream failure"), Failure.SERVER_ERROR, 500),
    (Reply(502, "<html>"), Failure.SERVER_ERROR, 502),
    (Reply(503, ""), Failure.SERVER_ERROR, 503),
    (refusal(200, "Internal", "Duplicate key"), Failure.SERVER_ERROR, 200),
    (Reply(403, "<html>"), Failure.FORBIDDEN, 403),
    (Reply(200, "Will be right back"), Failure.MALFORMED, 200),
    (Reply(200, '{"chart": {"result": [{"meta"'), Failure.MALFORMED, 200),
    (Reply(200, "<html>"), Failure.MALFORMED, 200),
    (Reply(200, "[]"), Failure.MALFORMED, 200),
    (Reply(body={"chart": {"result": [{}], "error": None}}), Failure.MALFORMED, 200),
    (Reply(trick=yahoo.RESET), Failure.CONNECTION, None),
    (Reply(body=chart(ROWS).body, trick=yahoo.TRUNCATE), Failure.CONNECTION, None),
]


@pytest.mark.parametrize(("reply", "expected", "status"), FAILURES)
def test_says_why_there_are_no_bars(
    source: YahooSource, upstream: Upstream, reply: Reply, expected: Failure, status: int | None
) -> None:
    """One call, one answer, one failure: yfinance's own repeats do not go out."""
    upstream.answers["7203.T"] = [reply]
    error = failure(source)
    assert (error.failure, error.status) == (expected, status)
    assert upstream.counts["chart"] == 1
    assert source.http_calls == 3


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(502, "<html>Bad Gateway"), "7203.T: the answer begins with b'<html>Bad Gateway'"),
        (refusal(500, "Internal", "upstream failure"), "7203.T: Yahoo says: upstream failure"),
        (Reply(200, "Will be right back"), "7203.T: the answer begins with b'Will be right back'"),
        (Reply(trick=yahoo.RESET), "7203.T: ConnectionError: Failed to perform, curl: (52)"),
    ],
)
def test_tells_what_the_server_said(
    source: YahooSource, upstream: Upstream, reply: Reply, words: str
) -> None:
    """Not that the stock is possibly delisted, as yfinance does."""
    upstream.answers["7203.T"] = [reply]
    assert words in str(failure(source))


def test_recovers_at_once(source: YahooSource, upstream: Upstream) -> None:
    """No failure is remembered: yfinance would replay a 500 of a past window for ever."""
    upstream.answers["7203.T"] = [Reply(500, "<html>"), Reply(429, ""), chart(ROWS)]
    assert failure(source).failure is Failure.SERVER_ERROR
    assert failure(source).failure is Failure.RATE_LIMITED
    assert len(fetch(source)) == 5


def test_gives_up_after_the_timeout(upstream: Upstream, tmp_path: Path) -> None:
    """Whatever yfinance has hard-coded."""
    upstream.answers["7203.T"] = [Reply(trick=yahoo.HANG)]
    source = YahooSource(settings_of(upstream.url, tmp_path), Throttle(), timeout=1)
    begun = time.monotonic()
    assert failure(source).failure is Failure.TIMEOUT
    assert 1 <= time.monotonic() - begun < 8


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://no-such-host.invalid", Failure.UNREACHABLE),
        ("http://127.0.0.1:1", Failure.CONNECTION),
    ],
)
def test_says_when_nobody_is_there(tmp_path: Path, url: str, expected: Failure) -> None:
    """No name, no listener."""
    error = failure(YahooSource(settings_of(url, tmp_path), Throttle(), timeout=3))
    assert (error.failure, error.status) == (expected, None)


def test_says_when_tls_fails(upstream: Upstream, tmp_path: Path) -> None:
    """A plain server behind an https address."""
    settings = settings_of(upstream.url.replace("http:", "https:"), tmp_path)
    error = failure(YahooSource(settings, Throttle(), timeout=3))
    assert error.failure is Failure.UNREACHABLE


def test_says_when_the_cache_folder_cannot_be_written(upstream: Upstream, tmp_path: Path) -> None:
    """A file is in its place; the text names the folder."""
    folder = tmp_path / "file" / "stocks"
    folder.parent.write_text("in the way")
    error = failure(YahooSource(settings_of(upstream.url, folder), Throttle(), timeout=3))
    assert error.failure is Failure.LOCAL
    assert str(folder) in str(error)
