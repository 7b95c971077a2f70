"""Instruments, parsers and frames that the venue tests share."""

from connectors.exchanges import registry
from connectors.exchanges.base import Instrument, Item, Parser

NOW = 1_700_000_000_000_000
"""A receipt time in µs: 2023-11-14 22:13:20 UTC."""

BINANCE_TRADE = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1699999999123,"s":"BTCUSDT","t":12345,'
    b'"p":"68016.19000000","q":"0.15084000","T":1699999999122,"m":true,"M":true}}'
)
BINANCE_QUOTE = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"68016.18000000",'
    b'"B":"31.21000000","a":"68016.19000000","A":"40.66000000"}}'
)
BINANCE_DEPTH = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1699999999123,"s":"BTCUSDT",'
    b'"U":157,"u":160,"b":[["68016.18","10"],["68016.17","0.00000000"]],"a":[["68016.20","3.5"]]}}'
)


def instrument(symbol: str, native: str) -> Instrument:
    return Instrument(symbol, native, "0.01", "0.00000001")


INSTRUMENTS = {
    "binance": [
        instrument("BTC-USDT", "BTCUSDT"),
        instrument("BNB-USDT", "BNBUSDT"),
        *(
            instrument(symbol, symbol.replace("-", ""))
            for symbol in ("NKN-USDT", "BLZ-ETH", "LRC-BTC", "RUNE-EUR")
        ),
    ],
    "coinbase": [instrument("BTC-USD", "BTC-USD"), instrument("ETH-USD", "ETH-USD")],
}


def parser(venue: str) -> Parser:
    return registry.venue(venue).parser(INSTRUMENTS[venue], f"{venue}-1")


def only(items: list[Item]) -> Item:
    assert len(items) == 1, items
    return items[0]
