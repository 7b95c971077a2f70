"""Upbit: docs.upbit.com (2026); frames of the recording have the same shapes."""

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import Ignored, Instrument, VenueError, VenueHeartbeat
from tests.connectors.exchanges.sample import Sample, newest_first

_TRADE = (
    '{"ty":"trade","cd":"KRW-BTC","tms":1618678262712,"ttms":TIME,"tp":PRICE,"tv":SIZE,"ab":"BID",'
    '"sid":1618678262000003}'
)

SAMPLE = Sample(
    venue="upbit",
    instruments=(
        Instrument("BTC-KRW", "KRW-BTC", "0.00000001", "0.00000001"),
        Instrument("ETH-BTC", "BTC-ETH", "0.00000001", "0.00000001"),
    ),
    listing=b'[{"market":"KRW-BTC","english_name":"Bitcoin"},{"market":"BTC-ETH"}]',
    trade=_TRADE,
    time=lambda micros: str(micros // 1000),
    frames=(
        (_TRADE.replace("PRICE", "127.0").replace("SIZE", "1.5E-7")
         .replace("TIME", "1618678262000").encode(), (Trade,)),
        (b'{"ty":"orderbook","cd":"KRW-BTC","tms":1618678262640,"obu":[{"ap":127.0,"bp":126.0,'
         b'"as":280460.37885666,"bs":688682.44561413}],"st":"REALTIME"}', (Quote, BookUpdate)),
        (b'{"ty":"candle.1m","cd":"KRW-BTC","cdttmu":"2021-04-17T16:51:00","op":1.0,"hp":2.0,'
         b'"lp":1.0,"tp":2.0,"catv":3.5,"catp":4.0,"tms":1618678262640,"st":"SNAPSHOT"}',
         (Candle,)),
        (b'{"ty":"ticker","cd":"KRW-BTC"}', (Ignored,)),
        (b'{"status":"UP"}', (VenueHeartbeat,)),
        (b'{"error":{"name":"INVALID_PARAM","message":"no such code KRW-X"}}', (VenueError,)),
    ),
    rows=lambda query, rows: [
        {"market": "KRW-BTC", "timestamp": row.ms, "trade_price": 1.5, "trade_volume": 2.0,
         "ask_bid": "ASK", "sequential_id": row.number}
        for row in newest_first(rows, query.get("cursor"), int(query["count"]))
    ],
    pong=b'{"status":"UP"}',
    numbers=True,
    natives=("BTC-ARK", "BTC-FCT2", "BTC-STPT", "BTC-ITAM", "BTC-MARO", "KRW-WAVES", "BTC-AQT",
             "BTC-XTZ", "KRW-LAMB", "BTC-PAX"),
)  # fmt: skip
