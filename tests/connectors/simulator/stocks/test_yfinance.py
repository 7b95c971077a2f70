"""The real clients read from the local Yahoo and JPX: what they get, and what they raise."""

import io
import json
import math
import warnings
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import curl_cffi.requests as curl
import exchange_calendars
import pytest
import python_calamine
import yfinance
from yfinance import exceptions as yf
from yfinance.data import YfData

from connectors.simulator.stocks.jpx import ENGLISH, JAPANESE
from connectors.simulator.stocks.server import Settings, in_thread
from connectors.simulator.stocks.sessions import Calendar

pytestmark = pytest.mark.airflow

COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits")
FIELDS = ("open", "high", "low", "close", "adj_close", "volume", "dividends", "splits")
WINDOW = {"start": "2026-10-01", "end": "2026-11-21"}


class Rewriting(curl.Session):
    """Yahoo's hosts replaced by a local one."""

    base = ""

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Every request of the client goes through here."""
        parts = urlsplit(url)
        assert parts.hostname is not None and parts.hostname.endswith("yahoo.com")
        query = f"?{parts.query}" if parts.query else ""
        return super().request(method, f"{self.base}{parts.path or '/'}{query}", **options)


class Client:
    """yfinance before a local Yahoo."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = Rewriting()
        self._session.base = base

    def history(self, symbol: str, *, zone_known: bool = True, **window: Any) -> Any:
        """The frame of a ticker, its time zone known beforehand or not."""
        zone = "Asia/Tokyo" if zone_known else None
        yfinance.cache.get_tz_cache().store(symbol, zone)
        ticker = yfinance.Ticker(symbol, session=self._session)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ticker.history(auto_adjust=False, actions=True, **window)

    def rows(self, symbol: str, **window: Any) -> list[tuple[float, ...]]:
        """Numbers of the frame, the day's ordinal first."""
        frame = self.history(symbol, **window)
        days = [day.date().toordinal() for day in frame.index]
        values = frame[list(COLUMNS)].values.tolist()
        return [(day, *row) for day, row in zip(days, values, strict=True)]

    def truth(self, symbol: str, query: str = "") -> list[tuple[float, ...]]:
        """The same out of /control/bars."""
        return [
            (
                date.fromisoformat(bar["trade_date"]).toordinal(),
                *(float(bar[field]) for field in FIELDS),
            )
            for bar in self.get(f"bars/{symbol}{query}")["bars"]
        ]

    def get(self, path: str) -> Any:
        """GET /control."""
        return json.load(urlopen(f"{self.base}/control/{path}"))

    def post(self, path: str, **body: Any) -> None:
        """POST /control."""
        urlopen(f"{self.base}/control/{path}", data=json.dumps(body).encode()).close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One server for the module; yfinance's own files go into a temporary folder."""
    yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))
    hidden = yfinance.config.debug.hide_exceptions
    yfinance.config.debug.hide_exceptions = False
    with in_thread(Settings(symbols=20, seed=3, years=3, today=date(2026, 11, 20))) as running:
        yield Client(running.url)
    yfinance.config.debug.hide_exceptions = hidden


@pytest.fixture
def client(server: Client) -> Client:
    """The market as at the start, and nothing remembered from another test."""
    YfData.cache_get.cache_clear()
    server.post("reset")
    return server


def test_it_reads_precisely_the_truth(client: Client) -> None:
    """Every number of the whole history, over dividends and a split of its own."""
    symbols = [one["symbol"] for one in client.get("listing")["issues"]]
    splits = dividends = 0
    for symbol in symbols:
        found = client.rows(symbol, period="max")
        assert found == client.truth(symbol)
        dividends += sum(row[-2] > 0 for row in found)
        splits += sum(row[-1] > 0 for row in found)
    assert dividends > 20 and splits > 0
    assert client.get("state")["served"] == dict.fromkeys(symbols, 1)


def test_windows_by_dates_end_before_their_end(client: Client) -> None:
    """As its documentation says."""
    found = client.rows("7203.T", start="2026-11-10", end="2026-11-17")
    assert found == client.truth("7203.T", "?start=2026-11-10&end=2026-11-16") != []
    assert client.rows("7203.T", period="5d") == client.truth("7203.T", "?start=2026-11-16")


def test_a_known_zone_costs_one_call(client: Client) -> None:
    """Once it has cookie and crumb."""
    client.history("7203.T", **WINDOW)
    client.post("reset", only="counters")
    client.history("6758.T", **WINDOW)
    assert client.get("state")["by_kind"]["price"] == {"200": 1}
    assert "timezone" not in client.get("state")["by_kind"]


def test_an_unknown_zone_costs_another_call(client: Client) -> None:
    """Which is told from those for prices."""
    client.history("7203.T", **WINDOW)
    client.post("reset", only="counters")
    assert len(client.history("6758.T", zone_known=False, **WINDOW)) == 35
    kinds = client.get("state")["by_kind"]
    assert kinds["timezone"] == kinds["price"] == {"200": 1}


def test_an_unknown_symbol_without_a_zone_is_looked_up_among_quotes(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cookie and crumb are right, so the answer is 404."""
    monkeypatch.setattr(yfinance.base, "_tz_info_fetch_ctr", 0)
    with pytest.raises(curl.exceptions.HTTPError, match="404"):
        client.history("0000.T", zone_known=False, **WINDOW)
    assert client.get("state")["by_kind"]["quote"]["404"] >= 1


def test_a_corporate_action_is_read_as_it_is_told(client: Client) -> None:
    """History rewritten, and the split on its day."""
    client.post("clock", today="2026-11-19")
    before = client.rows("7203.T", period="max")
    client.post("clock", today="2026-11-20")
    client.post("corporate-action", symbol="7203", date="2026-11-20", ratio=4)
    after = client.rows("7203.T", period="max")
    assert after == client.truth("7203.T")
    assert math.isclose(after[0][4], before[0][4] / 4, rel_tol=1e-6)
    assert after[-1][-1] == 4.0


def is_temporary(error: Exception) -> bool:
    """JSON that cannot be decoded, whichever decoder was there."""
    return isinstance(error, ValueError)


def raises(kind: type[Exception], words: str = "") -> Callable[[Exception], bool]:
    """An exception of exactly this class with these words."""
    return lambda error: type(error) is kind and words in str(error)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("rate_limit", raises(yf.YFRateLimitError)),
        ("not_found", raises(yf.YFPricesMissingError, "No data found, symbol may be delisted")),
        ("no_data", raises(yf.YFPricesMissingError, "Data doesn't exist for startDate = ")),
        ("empty", raises(yf.YFPricesMissingError, "no price data found")),
        ("server_error_json", raises(yf.YFPricesMissingError, "upstream failure")),
        ("unauthorized", raises(yf.YFPricesMissingError, "no price data found")),
        ("down", raises(yf.YFDataException, "CURRENTLY DOWN")),
        ("server_error", is_temporary),
        ("bad_gateway", is_temporary),
        ("unavailable", is_temporary),
        ("forbidden", is_temporary),
        ("malformed", is_temporary),
        ("html", is_temporary),
        ("hang", raises(curl.exceptions.Timeout)),
        ("reset", raises(curl.exceptions.ConnectionError)),
        ("truncated", raises(curl.exceptions.IncompleteRead)),
    ],
)
def test_faults_raise_what_yahoos_own_failures_raise(
    client: Client, fault: str, expected: Callable[[Exception], bool]
) -> None:
    """Nothing counts as served, and without the fault it works again."""
    client.post("faults", kind=fault)
    with pytest.raises(Exception) as caught:
        client.history("7203.T", timeout=0.3 if fault == "hang" else 10, **WINDOW)
    assert expected(caught.value), repr(caught.value)
    assert client.get("state")["served"] == {}
    urlopen(Request(f"{client.base}/control/faults", method="DELETE")).close()
    YfData.cache_get.cache_clear()
    assert len(client.history("7203.T", **WINDOW)) == 35


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        ("null_rows", 33),
        ("missing_rows", 33),
        ("null_closes", 35),
        ("negative_volumes", 35),
        ("broken_prices", 35),
        ("hundredfold", 35),
        ("disorder", 35),
        ("duplicates", 35),
    ],
)
def test_damaged_bars_are_read_as_they_come(client: Client, fault: str, rows: int) -> None:
    """It drops bars without any number, sorts, and takes one of two alike."""
    client.post("faults", kind=fault)
    found = client.rows("7203.T", **WINDOW)
    assert len(found) == rows
    truth = client.truth("7203.T", "?start=2026-10-01")
    same = fault in ("null_rows", "missing_rows", "disorder", "duplicates")
    assert all(row in truth for row in found) == same


def test_what_yahoo_refuses_it_tells(client: Client) -> None:
    """A period and a symbol that do not exist."""
    with pytest.raises(yf.YFPricesMissingError, match="Data doesn't exist"):
        client.history("7203.T", start="2010-01-01", end="2010-02-01")
    with pytest.raises(yf.YFPricesMissingError, match="may be delisted"):
        client.history("0000.T", **WINDOW)
    with pytest.raises(yf.YFPricesMissingError, match="range=forever is not supported"):
        client.history("7203.T", period="forever")


@pytest.mark.parametrize(("name", "header"), [("data_j", JAPANESE), ("data_e", ENGLISH)])
def test_calamine_reads_the_list(client: Client, name: str, header: tuple[str, ...]) -> None:
    """Codes of digits as numbers, others as text, as in the exchange's file."""
    data = urlopen(f"{client.base}/jpx/{name}.xlsx").read()
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    table = book.get_sheet_by_name("Sheet1").to_python()
    assert tuple(table[0]) == header
    codes = [issue["code"] for issue in client.get("listing")["issues"]]
    assert [row[1] if isinstance(row[1], str) else str(int(row[1])) for row in table[1:]] == codes
    assert 7203.0 in [row[1] for row in table] and "130A" in [row[1] for row in table]


def test_sessions_are_those_of_the_exchanges_calendar(tmp_path: Path) -> None:
    """Day for day over all the years that it knows."""
    calendar = exchange_calendars.get_calendar("XTKS")
    first = calendar.first_session.date() + timedelta(days=60)
    known = [session.date() for session in calendar.sessions if session.date() >= first]
    assert Calendar().between(first, known[-1]) == known
