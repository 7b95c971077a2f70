"""Binance: binance-spot-api-docs (2026-07)."""

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import Ignored, Instrument, ReconnectRequest
from tests.connectors.exchanges.market import BINANCE_DEPTH, BINANCE_QUOTE, BINANCE_TRADE
from tests.connectors.exchanges.sample import Sample

_FILTERS = (
    '"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01000000"},'
    '{"filterType":"LOT_SIZE","stepSize":"0.00001000"}]'
)

SAMPLE = Sample(
    venue="binance",
    instruments=(
        Instrument("BTC-USDT", "BTCUSDT", "0.01000000", "0.00001000"),
        Instrument("ETH-USDT", "ETHUSDT", "0.01000000", "0.00001000"),
    ),
    listing=(
        f'{{"symbols":[{{"symbol":"ETHUSDT",{_FILTERS}}},{{"symbol":"BTCUSDT",{_FILTERS}}}]}}'
    ).encode(),
    trade='{"stream":"btcusdt@trade","data":{"e":"trade","E":1699999999123,"s":"BTCUSDT","t":12345,'
    '"p":PRICE,"q":SIZE,"T":TIME,"m":true,"M":true}}',
    time=lambda micros: str(micros // 1000),
    frames=(
        (BINANCE_TRADE, (Trade,)),
        (BINANCE_QUOTE, (Quote,)),
        (BINANCE_DEPTH, (BookUpdate,)),
        (
            b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BTCUSDT","k":'
            b'{"t":1672515780000,"T":1672515839999,"s":"BTCUSDT","i":"1m","o":"1","c":"2","h":"2",'
            b'"l":"1","v":"0","n":0,"x":false,"q":"1"}}}',
            (Candle,),
        ),
        (b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","s":"BTCUSDT"}}', (Ignored,)),
        (b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
         (ReconnectRequest,)),
    ),
    rows=lambda query, rows: [
        {"id": row.number, "price": "1.5", "qty": "2", "time": row.ms, "isBuyerMaker": True}
        for row in rows
        if row.number >= int(query["fromId"])
    ][: int(query["limit"])],
    answers=lambda request: [{"result": None, "id": request["id"]}],
    refusal=lambda request: {"error": {"code": 2, "msg": "Invalid"}, "id": request["id"]},
    maintenance=b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
)  # fmt: skip
