"""What differs by venue: sides, times, composed numbers, whole books, names."""

import json
from typing import Any

import pytest

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges import registry
from connectors.exchanges.base import (
    DeadLetter,
    Ignored,
    Instrument,
    Item,
    ReconnectRequest,
    ResponseError,
    Subscribed,
    Subscription,
    VenueError,
    Wanted,
)
from tests.connectors.exchanges.sample import NOW, TIME, Row, load

BTC = Instrument("BTC-USDT", "BTCUSDT", "0.01", "0.000001")


def trade(venue: str, **changes: str) -> Trade:
    """Return the sample's trade with these texts of its frame replaced."""
    frame = load(venue).trade_frame().decode()
    for old, new in changes.items():
        frame = frame.replace(old, new)
    found = load(venue).parser().parse(frame.encode(), NOW)[0]
    assert isinstance(found, Trade), found
    return found


def test_aggressor_of_each_venue() -> None:
    """The taker's side; Binance's m and Coinbase's side are the maker's; empty is unknown."""
    found = {venue: trade(venue).side for venue in registry.VENUES}
    assert found == {
        "binance": "sell", "coinbase": "buy", "kraken": "buy", "okx": "buy", "bybit": "buy",
        "bitflyer": "buy", "gmo": "sell", "upbit": "buy",
    }  # fmt: skip
    assert trade("bitflyer", BUY="").side == "unknown"
    assert trade("upbit", BID="ASK").side == "sell"
    assert trade("bybit", Buy="Sell").side == "sell"


def test_seven_digits_of_a_second_are_cut() -> None:
    """bitFlyer's 100 ns do not fit a µs; REST leaves out the Z."""
    sample = load("bitflyer")
    frame = sample.trade_frame(time='"2023-11-14T22:13:19.1234567"')
    found = sample.parser().parse(frame, NOW)[0]
    assert isinstance(found, Trade) and found.ts_event == NOW - 1_000_000 + 123_456


def test_symbols_of_leveraged_markets() -> None:
    """They have a kind of their own, so that spot and leverage never mix."""
    bitflyer, gmo = registry.venue("bitflyer"), registry.venue("gmo")
    assert bitflyer.native_symbol("BTC-JPY-FX") == "FX_BTC_JPY"
    assert gmo.native_symbol("BTC-JPY") == "BTC" and gmo.native_symbol("XRP-JPY-LEV") == "XRP_JPY"
    assert registry.venue("upbit").native_symbol("BTC-KRW") == "KRW-BTC"
    for venue, bad in ((bitflyer, "BTC-JPY-LEV"), (gmo, "BTC-JPY-FX"), (gmo, "BTC-USD")):
        with pytest.raises(ValueError, match="not a symbol"):
            venue.native_symbol(bad)


def test_kraken_names_and_pages_of_time() -> None:
    """REST writes XBT and XDG; a page begins at the last trade known."""
    venue, (first, doge) = registry.venue("kraken"), load("kraken").instruments
    url = venue.trades_request(first, Wanted(5, None, TIME), "https://host")
    assert url == f"https://host/0/public/Trades?pair=XBTUSD&count=1000&since={TIME - 1}000"
    assert "pair=XDGUSD" in venue.trades_request(doge, Wanted(5, None), "https://host")


def test_okx_fills_are_put_together_as_the_socket_does() -> None:
    """One taker order at one price is one trade under its last id; the page's edge is not cut."""
    venue, instrument = registry.venue("okx"), load("okx").instruments[0]
    fill = {
        "instId": "BTC-USDT",
        "px": "42219.9",
        "sz": "0.1",
        "side": "buy",
        "ts": "1630048897897",
    }
    rows = [fill | {"tradeId": str(n), "px": "1" if n == 7 else "2"} for n in (9, 8, 7)]
    page = venue.parse_trades(json.dumps({"data": rows}).encode(), instrument, NOW, "rest")
    found = [(one.trade_id, one.price, one.size) for one in page if isinstance(one, Trade)]
    assert found == [("7", "1", "0.1"), ("9", "2", "0.2")]


def test_okx_candles_have_an_address_of_their_own() -> None:
    """A mixture is refused with the remedy."""
    venue = registry.venue("okx")
    candles, trades = Subscription("candles", "BTC-USDT"), Subscription("trades", "BTC-USDT")
    assert venue.ws_url([candles], "wss://host") == "wss://host/ws/v5/business"
    assert venue.ws_url([trades], "wss://host") == "wss://host/ws/v5/public"
    with pytest.raises(ValueError, match="a feed of its own"):
        venue.ws_url([candles, trades], "wss://host")


def bybit_trades(seqs: list[int]) -> bytes:
    rows = [
        {
            "T": TIME // 1000,
            "s": "BTCUSDT",
            "S": "Buy",
            "v": "1",
            "p": "2",
            "i": f"id{n}",
            "seq": seq,
        }
        for n, seq in enumerate(seqs)
    ]
    return json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "data": rows}).encode()


def numbers(items: Any) -> list[int]:
    return [one.trade_seq for one in items if isinstance(one, Trade)]


def test_composed_numbers_of_bybit() -> None:
    """seq x 1024 + the fill's place, over frames; REST numbers the same fills alike."""
    parser = load("bybit").parser()
    assert numbers(parser.parse(bybit_trades([7, 7, 8]), NOW)) == [7168, 7169, 8192]
    assert numbers(parser.parse(bybit_trades([8, 9]), NOW)) == [8193, 9216]
    rows = [
        {"execId": f"id{n}", "price": "2", "size": "1", "side": "Buy", "time": str(TIME // 1000),
         "seq": str(seq)} for n, seq in enumerate([7, 7, 8])
    ]  # fmt: skip
    body = json.dumps({"result": {"list": rows[::-1]}}).encode()
    page = registry.venue("bybit").parse_trades(body, BTC, NOW, "rest")
    assert numbers(page) == [7168, 7169, 8192]
    assert [one.trade_id for one in page if isinstance(one, Trade)] == ["id0", "id1", "id2"]


def test_group_cut_by_the_edge_of_a_full_page_is_left_out() -> None:
    """Its places cannot be known; what is known is never numbered otherwise."""
    venue, sample = registry.venue("bybit"), load("bybit")
    rows = [Row(n, TIME // 1000) for n in range(1000, 1060)]  # seq 0 and 1
    url = venue.trades_request(BTC, Wanted(1, None), "https://host")
    page = venue.parse_trades(sample.page(url, rows), BTC, NOW, "rest")
    assert numbers(page) == [1024 + place for place in range(36)]


def test_composed_numbers_of_gmo() -> None:
    """The ms x 1000 + the trade's place among those of its ms; a flood is set aside."""
    sample = load("gmo")
    parser, at = sample.parser(), sample.time(TIME)
    same = [parser.parse(sample.trade_frame(time=at), NOW)[0] for _ in range(1001)]
    assert numbers(same) == [TIME // 1000 * 1000 + place for place in range(1000)]
    assert type(same[-1]).__name__ == "DeadLetter"


def test_whole_books_give_what_was_asked_for() -> None:
    """Quotes and books of GMO and Upbit share one stream."""
    for venue in ("gmo", "upbit"):
        sample = load(venue)
        symbol = sample.instruments[0].symbol
        frame = sample.frames[1][0]
        for asked, kinds in (("quotes", [Quote]), ("books", [BookUpdate]), ("trades", [Ignored])):
            parser = sample.parser()
            parser.subscribe_frames([Subscription(asked, symbol)])
            assert [type(one) for one in parser.parse(frame, NOW)] == kinds
    parser = load("gmo").parser()
    both = [Subscription("quotes", "BTC-JPY"), Subscription("books", "BTC-JPY")]
    assert len(parser.subscribe_frames(both)) == 1
    assert parser.unsubscribe_frames(both[:1]) == []
    assert len(parser.unsubscribe_frames(both[1:])) == 1


def test_upbit_names_its_whole_set() -> None:
    """A request replaces the one before."""
    parser = load("upbit").parser()
    parser.subscribe_frames([Subscription("trades", "BTC-KRW")])
    (frame,) = parser.subscribe_frames([Subscription("candles", "ETH-BTC")])
    assert json.loads(frame)[1:] == [
        {"format": "SIMPLE"},
        {"type": "candle.1m", "codes": ["BTC-ETH"]},
        {"type": "trade", "codes": ["KRW-BTC"]},
    ]
    (frame,) = parser.unsubscribe_frames([Subscription("trades", "BTC-KRW")])
    assert json.loads(frame)[2:] == [{"type": "candle.1m", "codes": ["BTC-ETH"]}]
    assert parser.unsubscribe_frames([Subscription("candles", "ETH-BTC")]) == []
    (error,) = parser.parse(b'{"error":{"name":"NO_CODE","message":"BTC-ETH"}}', NOW)
    assert isinstance(error, VenueError) and error.rejected == ()


def test_bitflyer_book_is_two_channels() -> None:
    """Confirmed once both are; orders of an auction, at price 0, are no levels."""
    parser = load("bitflyer").parser()
    frames = parser.subscribe_frames([Subscription("books", "BTC-JPY")])
    assert [json.loads(one)["params"]["channel"] for one in frames] == [
        "lightning_board_BTC_JPY", "lightning_board_snapshot_BTC_JPY"
    ]  # fmt: skip
    first: Item = parser.parse(b'{"jsonrpc":"2.0","id":1,"result":true}', NOW)[0]
    second: Item = parser.parse(b'[{"jsonrpc":"2.0","id":2,"result":true}]', NOW)[0]
    assert isinstance(first, Ignored) and isinstance(second, Subscribed)
    auction = (
        b'{"method":"channelMessage","params":{"channel":"lightning_board_BTC_JPY","message":'
        b'{"bids":[{"price":0.0,"size":3.0},{"price":1.5,"size":0.0}],"asks":[]}}}'
    )
    found = parser.parse(auction, NOW)[0]
    assert isinstance(found, BookUpdate) and found.bids == [("1.5", "0.0")]
    assert found.ts_source == "receipt" and found.ts_event == NOW


def test_candles_of_coinbase_and_closed_ones() -> None:
    """Five minutes; closed only where the venue says so."""
    sample = load("coinbase")
    found = sample.parser().parse(sample.frames[4][0], NOW)[1:] or sample.parser().parse(
        sample.frames[4][0], NOW
    )
    bar = found[-1]
    assert isinstance(bar, Candle) and bar.interval == "5m" and not bar.is_closed
    assert bar.close_time - bar.open_time == 299_999_000
    frame, _ = load("okx").frames[6]
    closed = load("okx").parser().parse(frame, NOW)[0]
    assert isinstance(closed, Candle) and closed.is_closed


def test_binance_book_by_rest() -> None:
    """A snapshot whose sequence is lastUpdateId; other answers are errors."""
    venue = registry.venue("binance")
    assert venue.book_request(BTC, "https://host/") == (
        "https://host/api/v3/depth?symbol=BTCUSDT&limit=5000"
    )
    body = b'{"lastUpdateId":160,"bids":[["1.50","2.00"]],"asks":[]}'
    book = venue.parse_book(body, BTC, NOW, "binance-rest")
    assert (book.is_snapshot, book.sequence, book.prev_sequence) == (True, 160, -1)
    assert (book.bids, book.asks, book.ts_source) == ([("1.50", "2.00")], [], "receipt")
    for bad in (b"", b"{}", b'{"lastUpdateId":1,"bids":[["-1","1"]],"asks":[]}', b'{"code":-1}'):
        with pytest.raises(ResponseError, match="binance"):
            venue.parse_book(bad, BTC, NOW, "binance-rest")
    with pytest.raises(NotImplementedError, match="kraken"):
        registry.venue("kraken").parse_book(body, BTC, NOW, "x")


def test_okx_maintenance_resets_a_book() -> None:
    """A sequence that goes back breaks this book only; a notice asks for a new connection."""
    sample = load("okx")
    parser = sample.parser()
    items = [item for frame, _ in sample.frames for item in parser.parse(frame, NOW)]
    books = [(one.prev_sequence, one.sequence) for one in items if isinstance(one, BookUpdate)]
    assert books == [(-1, 123456), (123456, 123459), (123459, 123459), (-1, 5)]
    assert any(isinstance(one, ReconnectRequest) for one in items)


@pytest.mark.parametrize("wrong", [b"true", b"-5", b'"x"', b"1.5"])
def test_okx_book_after_no_sequence_is_a_dead_letter(wrong: bytes) -> None:
    """What is no number cannot be told from a whole chain by whoever reads the book."""
    sample = load("okx")
    frame = next(frame for frame, _ in sample.frames if b'"prevSeqId":123456' in frame)
    items = sample.parser().parse(frame.replace(b"123456,", wrong + b",", 1), NOW)
    assert [type(item) for item in items] == [DeadLetter]
