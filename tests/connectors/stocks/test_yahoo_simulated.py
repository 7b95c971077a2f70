"""The source against the local exchange's Yahoo and its list: the truth arrives, at what cost."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.simulator.stocks.server import Running, Settings, in_thread
from connectors.stocks.bars import Bar, Failure, FetchError
from connectors.stocks.jpx import check, download, read_listing
from connectors.stocks.settings import StockSettings
from connectors.stocks.yahoo import YahooSource

NOISE = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
pytestmark = [pytest.mark.airflow, NOISE]

TODAY = date(2026, 11, 20)
PROCESSES, SYMBOLS = 2, 50
PROGRAM = """
import sys
from connectors.stocks.settings import load_stock_settings
from connectors.stocks.yahoo import YahooSource
assert "yfinance" not in sys.modules and "pandas" not in sys.modules
source = YahooSource(load_stock_settings(), lambda: None)
for symbol in sys.argv[1].split(","):
    assert source.daily_bars(symbol, None, None)
print(source.http_calls)
"""


@pytest.fixture(scope="module")
def simulated() -> Iterator[Running]:
    """A Yahoo that asks for cookie and crumb, and a list."""
    with in_thread(Settings(symbols=20, years=2, today=TODAY, check_crumb=True)) as running:
        yield running


@pytest.fixture
def source(simulated: Running, tmp_path: Path) -> Iterator[YahooSource]:
    """A source of it; faults and counts are cleared afterwards."""
    settings = StockSettings(yahoo_base_url=simulated.url, stock_cache=tmp_path)
    yield YahooSource(settings, lambda: None, timeout=10)
    _control(simulated, "reset", {})


def _control(running: Running, name: str, order: object = None) -> Any:
    """Give an order to the local exchange, or look at it."""
    data = None if order is None else json.dumps(order).encode()
    with urllib.request.urlopen(f"{running.addresses['control']}/{name}", data) as answer:
        return json.load(answer)


def _truth(running: Running, symbol: str) -> list[Bar]:
    """What a correct client must have."""
    return [
        Bar(**{**bar, "trade_date": date.fromisoformat(bar["trade_date"])})
        for bar in _control(running, f"bars/{symbol}")["bars"]
    ]


def test_the_truth_arrives(simulated: Running, source: YahooSource) -> None:
    """Every number of every stock, with dividends and splits."""
    listed = _control(simulated, "listing")["issues"]
    symbols = [each["symbol"] for each in listed if each["ordinary"]]
    actions = 0
    for symbol in symbols:
        expected = _truth(simulated, symbol)
        assert source.daily_bars(symbol, None, None) == expected
        actions += sum(bool(bar.dividends) + bool(bar.splits) for bar in expected)
    assert len(symbols) == 20
    assert actions > 10


def test_a_window_is_a_part_of_the_history(simulated: Running, source: YahooSource) -> None:
    """Both ends included, also when the newest session is one of them."""
    whole = _truth(simulated, "7203.T")
    for part in (whole[-5:], whole[10:20], whole[:1]):
        first, last = part[0].trade_date, part[-1].trade_date
        assert source.daily_bars("7203.T", first, last) == part
    assert source.daily_bars("7203.T", whole[-5].trade_date, None) == whole[-5:]


def test_a_window_without_sessions_has_no_data(source: YahooSource) -> None:
    """A weekend of the future, as after a long holiday."""
    with pytest.raises(FetchError) as caught:
        source.daily_bars("7203.T", TODAY + timedelta(days=1), TODAY + timedelta(days=2))
    assert caught.value.failure in {Failure.NO_DATA, Failure.EMPTY}


def test_a_split_rewrites_the_history(simulated: Running, source: YahooSource) -> None:
    """Old bars differ afterwards, and the split stands on its day."""
    before = source.daily_bars("6758.T", None, None)
    day = before[-3].trade_date
    order = {"symbol": "6758.T", "date": day.isoformat(), "ratio": 2}
    _control(simulated, "corporate-action", order)
    after = source.daily_bars("6758.T", None, None)
    assert after == _truth(simulated, "6758.T")
    assert [bar.splits for bar in after[-3:]] == [2.0, 0.0, 0.0]
    assert after[0].close == pytest.approx((before[0].close or 0) / 2)


@pytest.mark.parametrize("kind", ["null_rows", "disorder", "duplicates"])
def test_damage_that_loses_nothing(simulated: Running, source: YahooSource, kind: str) -> None:
    """Rows without numbers go, the order is put right, each session is there once."""
    expected = {bar.trade_date: bar for bar in _truth(simulated, "7203.T")}
    _control(simulated, "faults", {"kind": kind, "rows": 3})
    bars = source.daily_bars("7203.T", None, None)
    lost = 3 if kind == "null_rows" else 0
    assert len(bars) == len(expected) - lost
    assert bars == sorted(bars)
    assert all(expected[bar.trade_date] == bar for bar in bars)


def test_unknown_numbers_are_none(simulated: Running, source: YahooSource) -> None:
    """A close that is null, a volume below zero."""
    for kind in ("null_closes", "negative_volumes"):
        _control(simulated, "faults", {"kind": kind, "rows": 3, "count": 1})
    assert sum(bar.close is None for bar in source.daily_bars("7203.T", None, None)) == 3
    assert sum(bar.volume is None for bar in source.daily_bars("7203.T", None, None)) == 3


def test_a_passing_401_is_not_noticed(simulated: Running, source: YahooSource) -> None:
    """The session is renewed."""
    _control(simulated, "faults", {"kind": "unauthorized", "count": 1})
    assert source.daily_bars("7203.T", None, None)
    assert source.http_calls == 6


def test_the_list_is_read_as_it_is(simulated: Running) -> None:
    """In both languages, the same stocks."""
    listed = _control(simulated, "listing")["issues"]
    found = []
    for key in ("jpx", "jpx_english"):
        listing = read_listing(*download(StockSettings(jpx_listing_url=simulated.addresses[key])))
        assert check(listing, len(listed), min_rows=20) == []
        assert listing.faults == ()
        assert [stock.code for stock in listing.stocks] == [each["code"] for each in listed]
        found.append([(stock.code, stock.segment, stock.is_foreign) for stock in listing.stocks])
    assert found[0] == found[1]


def test_a_list_with_faults_is_read_with_words(simulated: Running, source: YahooSource) -> None:
    """Rows there twice and a segment that nobody knows: told; two dates: refused."""
    settings = StockSettings(jpx_listing_url=simulated.addresses["jpx"])
    order = {"duplicates": 1, "unknown_segment": True, "second_day": "2026-01-31"}
    _control(simulated, "listing", order)
    listing = read_listing(*download(settings))
    assert ["twice" in listing.faults[0], "unknown segment" in listing.faults[1]] == [True, True]
    assert "one date" in check(listing, min_rows=20)[0]


def test_processes_share_cookie_and_crumb(tmp_path: Path) -> None:
    """From cold, at most 1.02 calls a symbol; quiet; the caches are gone when they end."""
    total = PROCESSES * SYMBOLS
    settings = Settings(symbols=total, today=TODAY, check_crumb=True)
    with in_thread(settings) as running:
        listed = _control(running, "listing")["issues"]
        symbols = [each["symbol"] for each in listed if each["ordinary"]]
        environment = {**os.environ, "YAHOO_BASE_URL": running.url, "STOCK_CACHE": str(tmp_path)}
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, ",".join(symbols[number::PROCESSES])],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for number in range(PROCESSES)
        ]
        outputs = [process.communicate(timeout=60) for process in processes]
        state = _control(running, "state")
    assert [error for _, error in outputs] == [""] * PROCESSES
    assert {kind: sum(count.values()) for kind, count in state["by_kind"].items()} == {
        "cookie": 1,
        "crumb": 1,
        "price": total,
    }
    assert sum(int(output) for output, _ in outputs) == state["http_calls"] <= 1.02 * total
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".lock"}
