"""Bars by the real yfinance from a loopback Yahoo: what comes out, and what it costs."""

import csv
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from connectors.stocks.bars import Bar, Failure, FetchError
from connectors.stocks.yahoo import YahooSource
from tests.connectors.stocks import upstream as yahoo
from tests.connectors.stocks.fetching import DAYS, ROWS, Throttle, failure, fetch, settings_of
from tests.connectors.stocks.upstream import Reply, Row, Upstream, chart, refusal

NOISE = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
"""pytest undoes the source's own filter of what pandas says to yfinance."""
pytestmark = [pytest.mark.airflow, NOISE]

HISTORIES = Path(
    os.environ.get("MARKET_STREAMS_DAILY_BARS")
    or Path(__file__).resolve().parents[4] / "shared" / "daily-bars"
)


def test_gives_bars_with_actions(source: YahooSource, upstream: Upstream) -> None:
    """Prices unadjusted for dividends, plain Python values."""
    upstream.answers["7203.T"] = [chart(ROWS, {DAYS[1]: 12.5}, {DAYS[3]: (3, 1)})]
    bars = fetch(source)
    assert bars[0] == Bar(DAYS[0], 100.0, 110.0, 90.0, 100.0, 104.0, 1000)
    assert [bar.dividends for bar in bars] == [0, 12.5, 0, 0, 0]
    assert [bar.splits for bar in bars] == [0, 0, 0, 3, 0]
    assert {type(value) for bar in bars for value in bar} == {date, float, int}


def test_asks_for_the_window_with_its_end(source: YahooSource, upstream: Upstream) -> None:
    """Yahoo's end is exclusive, in Tokyo's midnights."""
    fetch(source)
    query = upstream.calls[-1][1]
    assert int(query["period1"]) == yahoo.stamp(DAYS[0]) - 9 * 3600
    assert int(query["period2"]) == yahoo.stamp(DAYS[-1] + timedelta(days=1)) - 9 * 3600


def test_leaves_out_what_lies_outside_the_window(source: YahooSource) -> None:
    """Yahoo likes to add the newest price."""
    assert [bar.trade_date for bar in source.daily_bars("7203.T", DAYS[1], DAYS[2])] == DAYS[1:3]


def test_asks_for_the_whole_history_without_a_start(
    source: YahooSource, upstream: Upstream
) -> None:
    """From 99 years ago until now."""
    assert len(source.daily_bars("7203.T", None, None)) == 5
    assert int(upstream.calls[-1][1]["period1"]) < 0


def test_asks_for_the_period_that_was_set(upstream: Upstream, tmp_path: Path) -> None:
    """In Yahoo's words."""
    source = YahooSource(settings_of(upstream.url, tmp_path), Throttle(), 3, period="6mo")
    source.daily_bars("7203.T", None, None)
    assert upstream.calls[-1][1]["range"] == "6mo"


@pytest.mark.parametrize(
    "reply",
    [chart(ROWS), refusal(422, "Unprocessable Entity", "Validation: invalid range")],
)
def test_says_that_the_period_is_wrong(upstream: Upstream, tmp_path: Path, reply: Reply) -> None:
    """Whether Yahoo refuses it or yfinance sees that Yahoo did not know it."""
    upstream.answers["7203.T"] = [reply]
    source = YahooSource(settings_of(upstream.url, tmp_path), Throttle(), 3, period="banana")
    with pytest.raises(FetchError) as caught:
        source.daily_bars("7203.T", None, None)
    assert caught.value.failure is Failure.BAD_REQUEST


@pytest.mark.parametrize("symbol", ["", "7203", "US0378331005", "7203.t", "../7203.T", "AAPL"])
def test_refuses_what_is_no_symbol_of_tokyo(
    source: YahooSource, upstream: Upstream, symbol: str
) -> None:
    """Before anything goes out: yfinance would look an ISIN up elsewhere."""
    assert failure(source, symbol).failure is Failure.BAD_REQUEST
    assert upstream.calls == []


def test_refuses_a_window_that_ends_before_it_starts(source: YahooSource) -> None:
    """Our own mistake."""
    with pytest.raises(FetchError, match="is after") as caught:
        source.daily_bars("7203.T", DAYS[1], DAYS[0])
    assert caught.value.failure is Failure.BAD_REQUEST


def test_takes_nan_and_negative_volume_for_unknown(
    source: YahooSource, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest of the row stays, a row without any value goes, and the log tells the odd one."""
    rows = [
        Row(DAYS[0], close=None),
        Row(DAYS[1], volume=-5),
        Row(DAYS[2], None, None, None, None, None, None),
        Row(DAYS[3]),
    ]
    upstream.answers["7203.T"] = [chart(rows)]
    with caplog.at_level(logging.WARNING, "connectors.stocks"):
        bars = fetch(source)
    assert [bar.trade_date for bar in bars] == [DAYS[0], DAYS[1], DAYS[3]]
    assert (bars[0].close, bars[0].open) == (None, 100.0)
    assert (bars[1].volume, bars[1].close) == (None, 105.0)
    assert "7203.T: volume -5 on 2025-01-07: taken as unknown" in caplog.text


def test_sorts_sessions_and_keeps_one_of_each(
    source: YahooSource, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the newest session the last row: Yahoo sends the running day beside the closed one."""
    rows = [ROWS[1], ROWS[0], *ROWS[2:], Row(DAYS[4], close=42.0)]
    upstream.answers["7203.T"] = [chart(rows)]
    with caplog.at_level(logging.WARNING, "connectors.stocks"):
        bars = fetch(source)
    assert [bar.trade_date for bar in bars] == DAYS
    assert [bar.close for bar in bars] == [100, 101, 102, 103, 42]
    assert "out of order: sorted; 1 sessions there twice" in caplog.text


def test_renews_cookie_and_crumb_once(source: YahooSource, upstream: Upstream) -> None:
    """A 401 is worth one repeat with new ones."""
    fetch(source)
    upstream.generation += 1
    upstream.calls.clear()
    assert len(fetch(source)) == 5
    assert upstream.counts == {"chart": 2, "cookie": 1, "crumb": 1}


def test_gives_in_when_the_new_crumb_is_refused_too(
    source: YahooSource, upstream: Upstream
) -> None:
    """One renewal a fetch, no more."""
    upstream.answers["7203.T"] = [yahoo.INVALID_CRUMB]
    error = failure(source)
    assert (error.failure, error.status) == (Failure.UNAUTHORIZED, 401)
    assert upstream.counts == {"chart": 2, "cookie": 2, "crumb": 2}


def test_goes_without_a_crumb_where_there_is_none(source: YahooSource, upstream: Upstream) -> None:
    """A 429 for the crumb is no reason not to ask for the chart, nor to ask again each time."""
    upstream.crumb_status = 429
    assert len(fetch(source)) == 5
    assert len(fetch(source)) == 5
    assert upstream.counts == {"chart": 2, "cookie": 1, "crumb": 1}
    assert "crumb" not in upstream.calls[-1][1]


def test_asks_the_throttle_before_every_call(
    source: YahooSource, upstream: Upstream, throttle: Throttle
) -> None:
    """Cookie, crumb and repeats included, and the count agrees with the server's."""
    fetch(source)
    upstream.generation += 1
    fetch(source)
    assert throttle.asked == source.http_calls == len(upstream.calls) == 7


def test_a_throttle_can_call_the_fetch_off(
    source: YahooSource, upstream: Upstream, throttle: Throttle
) -> None:
    """What it raises arrives as it is, also where yfinance would take it for the network's."""
    throttle.error = ConnectionError("the batch was stopped")
    with pytest.raises(ConnectionError, match="the batch was stopped"):
        fetch(source)
    throttle.error = None
    fetch(source)
    throttle.error = TimeoutError("the batch was stopped")
    with pytest.raises(TimeoutError, match="the batch was stopped"):
        fetch(source)
    assert upstream.counts["chart"] == 1


def test_costs_one_call_a_symbol(source: YahooSource, upstream: Upstream) -> None:
    """And two for all of them together; unknown symbols cost no more."""
    for number in range(50):
        upstream.answers[f"{1000 + number}.T"] = [chart(ROWS) if number % 5 else yahoo.NOT_FOUND]
    for number in range(50):
        if number % 5:
            fetch(source, f"{1000 + number}.T")
        else:
            failure(source, f"{1000 + number}.T")
    assert source.http_calls == len(upstream.calls) == 52


def test_two_sources_in_two_threads_do_not_mix(tmp_path: Path) -> None:
    """Though yfinance knows only one session: each call goes to its own upstream."""
    with yahoo.serve() as first, yahoo.serve() as second:
        servers, symbols = (first, second), ("7203.T", "6758.T")
        second.generation = 7
        for server, symbol in zip(servers, symbols, strict=True):
            server.answers[symbol] = [chart(ROWS)]
        sources = [
            YahooSource(settings_of(server.url, tmp_path), Throttle(), 3) for server in servers
        ]
        fetched: list[int] = [0, 0]

        def work(index: int) -> None:
            for _ in range(20):
                fetched[index] += len(fetch(sources[index], symbols[index]))

        threads = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert fetched == [100, 100]
        assert [source.http_calls for source in sources] == [22, 22]
        assert [len(server.calls) for server in servers] == [22, 22]


FORKED = """
import os, sys
from connectors.stocks.bars import FetchError
from connectors.stocks.settings import load_stock_settings
from connectors.stocks.yahoo import YahooSource
source = YahooSource(load_stock_settings(), lambda: None)
assert source.daily_bars("7203.T", None, None)
if os.fork() == 0:
    try:
        source.daily_bars("7203.T", None, None)
    except FetchError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""


def test_a_fork_of_a_process_that_fetched_may_not(upstream: Upstream, tmp_path: Path) -> None:
    """It would share SQLite files and sockets with its parent; the text says what to do."""
    environment = {**os.environ, "YAHOO_BASE_URL": upstream.url, "STOCK_CACHE": str(tmp_path)}
    output = subprocess.check_output([sys.executable, "-c", FORKED], env=environment, text=True)
    assert output.startswith("local: yfinance was used before this process was forked")


@pytest.mark.parametrize("name", ["bad-div-fixed", "bad-stock-split-fixed"])
def test_real_histories_survive(source: YahooSource, upstream: Upstream, name: str) -> None:
    """Every number of a real stock, whatever the file's order."""
    file = HISTORIES / f"4063-T-1d-{name}.csv"
    if not file.exists():
        pytest.skip(f"no histories at {HISTORIES} (set MARKET_STREAMS_DAILY_BARS)")
    expected = sorted(_bars_of_csv(file))
    upstream.answers["4063.T"] = [
        chart(
            [Row(*bar[:7]) for bar in expected],
            {bar.trade_date: bar.dividends for bar in expected if bar.dividends},
            {bar.trade_date: (round(bar.splits), 1) for bar in expected if bar.splits},
        )
    ]
    assert len(expected) > 20
    assert source.daily_bars("4063.T", None, None) == expected


def _bars_of_csv(file: Path) -> Iterator[Bar]:
    with file.open(newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            yield Bar(
                date.fromisoformat((line.get("Date") or line["Datetime"])[:10]),
                *(float(line[name]) for name in ("Open", "High", "Low", "Close", "Adj Close")),
                volume=int(float(line["Volume"])),
                dividends=float(line["Dividends"]),
                splits=float(line["Stock Splits"]),
            )
