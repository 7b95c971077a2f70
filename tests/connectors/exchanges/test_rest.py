"""REST answers of the venues: instruments, and trades by id."""

import json
from decimal import Decimal

import pytest

from connectors.events import Trade
from connectors.exchanges import registry
from connectors.exchanges.base import DeadLetter, Instrument, ResponseError, Subscription, Wanted
from tests.connectors.exchanges.market import NOW
from tests.recordings import records

BINANCE, COINBASE = registry.venue("binance"), registry.venue("coinbase")
BTCUSDT = Instrument("BTC-USDT", "BTCUSDT", "0.01", "0.00001")
BTCUSD = Instrument("BTC-USD", "BTC-USD", "0.01", "0.00000001")


def recorded(venue: str, part: str) -> bytes:
    return next(r.data for r in records(venue) if r.kind == "http" and part in r.url)


def test_recorded_binance_instruments() -> None:
    """Ticks and lots come from the filters of the recorded exchangeInfo."""
    found = BINANCE.parse_instruments(recorded("binance", "exchangeInfo"), ["ETH-BTC", "NKN-USDT"])
    assert found == [
        Instrument("ETH-BTC", "ETHBTC", "0.00000100", "0.00010000"),
        Instrument("NKN-USDT", "NKNUSDT", "0.00010000", "1.00000000"),
    ]


def test_recorded_coinbase_instruments() -> None:
    """Ticks and lots come from the recorded product list."""
    found = COINBASE.parse_instruments(recorded("coinbase", "products"), ["BTC-USD"])
    assert found == [BTCUSD]


def test_missing_or_unfit_listings_are_named_together() -> None:
    """One error names every symbol that cannot be had, and why."""
    rows = [
        {"product_id": "A-USD", "price_increment": "0.01", "base_increment": "0.000000001"},
        {"product_id": "B-USD", "price_increment": "0.00000000001", "base_increment": "1"},
    ]
    with pytest.raises(ResponseError) as error:
        COINBASE.parse_instruments(
            json.dumps({"products": rows}).encode(), ["A-USD", "B-USD", "C-USD"]
        )
    text = str(error.value)
    assert "A-USD: lot size" in text and "B-USD: tick size" in text and "C-USD: not listed" in text
    listing = {"symbols": [{"symbol": "AUSD", "filters": [{"filterType": "LOT_SIZE"}]}]}
    with pytest.raises(ResponseError, match="A-USD: no PRICE_FILTER"):
        BINANCE.parse_instruments(json.dumps(listing).encode(), ["A-USD"])


def test_urls() -> None:
    """Requests are those of the venues' documentation."""
    base = "https://host"
    assert BINANCE.instruments_request(["BTC-USDT", "ETH-USDT"], base) == (
        "https://host/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D"
    )
    assert COINBASE.instruments_request(["BTC-USD", "ETH-USD"], base) == (
        "https://host/api/v3/brokerage/market/products?product_ids=BTC-USD&product_ids=ETH-USD"
    )
    history = "https://host/api/v3/historicalTrades?symbol=BTCUSDT&fromId=5&limit="
    assert BINANCE.trades_request(BTCUSDT, Wanted(5, 9), base) == history + "5"
    assert BINANCE.trades_request(BTCUSDT, Wanted(5, 9000), base) == history + "1000"
    assert BINANCE.trades_request(BTCUSDT, Wanted(5, None), base) == history + "1000"
    trades = "https://host/products/BTC-USD/trades?limit="
    assert COINBASE.trades_request(BTCUSD, Wanted(5, 9), base) == trades + "5&after=10"
    assert COINBASE.trades_request(BTCUSD, Wanted(5, None), base) == trades + "1000"
    wanted = [Subscription("trades", "BTC-USDT")]
    assert BINANCE.ws_url(wanted, "wss://host:9443") == "wss://host:9443/stream"
    assert COINBASE.ws_url(wanted, "wss://host") == "wss://host"


def binance_page(ids: range) -> bytes:
    row = {"price": "68016.19", "qty": "0.5", "quoteQty": "1", "time": 1_699_999_999_122}
    return json.dumps(
        [{"id": n, **row, "isBuyerMaker": n % 2 == 0, "isBestMatch": True} for n in ids]
    ).encode()


def coinbase_page(ids: range) -> bytes:
    row = {"price": "68016.19", "size": "0.5", "time": "2023-11-14T22:13:19.122Z"}
    return json.dumps(
        [{"trade_id": n, **row, "side": "sell" if n % 2 else "buy"} for n in reversed(ids)]
    ).encode()


def test_filled_trades_equal_those_of_the_socket() -> None:
    """Ids, times, texts and the taker's side; ascending, whatever the venue's order."""
    tail = (1_699_999_999_122_000, NOW, "rest", "venue", 1)
    numbers = ("68016.19", "0.5")
    assert BINANCE.parse_trades(binance_page(range(7, 9)), BTCUSDT, NOW, "rest") == [
        Trade("binance", "BTC-USDT", "BTCUSDT", *tail, "7", 7, *numbers, "buy"),
        Trade("binance", "BTC-USDT", "BTCUSDT", *tail, "8", 8, *numbers, "sell"),
    ]
    assert COINBASE.parse_trades(coinbase_page(range(7, 9)), BTCUSD, NOW, "rest") == [
        Trade("coinbase", "BTC-USD", "BTC-USD", *tail, "7", 7, *numbers, "buy"),
        Trade("coinbase", "BTC-USD", "BTC-USD", *tail, "8", 8, *numbers, "sell"),
    ]


def test_bad_row_is_a_dead_letter() -> None:
    """The other rows of the answer are kept."""
    for venue, instrument, body in (
        (BINANCE, BTCUSDT, binance_page(range(1, 4)).replace(b'"68016.19"', b'"x"', 1)),
        (COINBASE, BTCUSD, coinbase_page(range(1, 4)).replace(b"2023-11", b"2023-99", 1)),
    ):
        page = venue.parse_trades(body, instrument, NOW, "rest")
        assert [type(one) for one in page] == [Trade, Trade, DeadLetter]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"code":-1121,"msg":"x"}', b"[5]", b"5"])
def test_other_answers_are_errors(body: bytes) -> None:
    """The error quotes the answer."""
    for venue, instrument in ((BINANCE, BTCUSDT), (COINBASE, BTCUSD)):
        with pytest.raises(ResponseError, match=venue.name):
            venue.parse_trades(body, instrument, NOW, "rest")
        with pytest.raises(ResponseError, match=venue.name):
            venue.parse_instruments(body, [instrument.symbol])


@pytest.mark.parametrize("to_id", [None, 2_650, 1_000, 100])
@pytest.mark.parametrize("from_id", [1, 100])
def test_paging_brings_the_whole_range(from_id: int, to_id: int | None) -> None:
    """Repeating until None asks for every trade of the range once, then ends."""
    newest = 2_800
    for venue, instrument in ((BINANCE, BTCUSDT), (COINBASE, BTCUSD)):
        todo: Wanted | None = Wanted(from_id, to_id)
        seen: list[int] = []
        while todo is not None:
            url = venue.trades_request(instrument, todo, "https://host")
            limit = int(url.split("limit=")[1].split("&")[0])
            if venue is BINANCE:
                body = binance_page(range(todo.from_id, min(todo.from_id + limit, newest + 1)))
            else:
                below = newest + 1 if todo.to_id is None else todo.to_id + 1
                body = coinbase_page(range(max(1, below - limit), below))
            page = venue.parse_trades(body, instrument, NOW, "rest")
            seen += [t.trade_seq for t in page if isinstance(t, Trade) and t.trade_seq >= from_id]
            todo = venue.rest_of_range(page, todo)
        assert sorted(seen) == list(range(from_id, (to_id or newest) + 1))


def test_page_of_dead_letters_ends_the_paging() -> None:
    """A caller that repeats until None always ends."""
    for venue in (BINANCE, COINBASE):
        assert venue.rest_of_range([], Wanted(1, 5)) is None
        assert venue.rest_of_range([], Wanted(1, None)) is None


def test_every_recorded_listing_fits_or_is_refused() -> None:
    """Of Coinbase's 920 listings all fit; the tick read is the recorded text."""
    body = recorded("coinbase", "products")
    rows = {row["product_id"]: row for row in json.loads(body)["products"]}
    spot = [name for name in rows if name.count("-") == 1 and name.isupper()]
    for one in COINBASE.parse_instruments(body, spot):
        assert one.tick_size == rows[one.native_symbol]["price_increment"]
        assert Decimal(one.lot_size) > 0
