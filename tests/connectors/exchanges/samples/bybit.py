"""Bybit v5: bybit-exchange/docs (2026-07); the recording is of linear contracts, same shapes."""

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import Ignored, Instrument, VenueError, VenueHeartbeat
from tests.connectors.exchanges.sample import Sample

_TRADE = (
    '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":TIME,"s":'
    '"BTCUSDT","S":"Buy","v":SIZE,"p":PRICE,"i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,'
    '"seq":1783284617}]}'
)


def _book(depth: int, kind: str, number: int) -> bytes:
    return (
        f'{{"topic":"orderbook.{depth}.BTCUSDT","type":"{kind}","ts":1687940967466,"data":{{"s":'
        '"BTCUSDT","b":[["30247.20","30.028"],["30240.00","1"]],"a":[["30248.70","1.1"]],'
        f'"u":{number},"seq":66544703342}},"cts":1687940967464}}'
    ).encode()


def _listed(name: str) -> str:
    return (
        f'{{"symbol":"{name}","lotSizeFilter":{{"basePrecision":"0.000001"}},'
        '"priceFilter":{"tickSize":"0.01"}}'
    )


def _rows(query: dict[str, str], rows: object) -> object:
    newest = list(rows)[::-1][: int(query["limit"])]  # type: ignore[call-overload]
    return {"retCode": 0, "result": {"category": "spot", "list": [
        {"execId": f"x{row.number}", "symbol": "BTCUSDT", "price": "1.5", "size": "2",
         "side": "Buy", "time": str(row.ms), "seq": str(row.number // 1024)}
        for row in newest
    ]}}  # fmt: skip


SAMPLE = Sample(
    venue="bybit",
    instruments=(
        Instrument("BTC-USDT", "BTCUSDT", "0.01", "0.000001"),
        Instrument("ETH-USDT", "ETHUSDT", "0.01", "0.000001"),
    ),
    listing=f'{{"retCode":0,"result":{{"list":[{_listed("BTCUSDT")},{_listed("ETHUSDT")}]}}}}'.encode(),
    trade=_TRADE,
    time=lambda micros: str(micros // 1000),
    frames=(
        (_TRADE.replace("PRICE", '"16578.50"').replace("SIZE", '"0.001"')
         .replace("TIME", "1672304486865").encode(), (Trade,)),
        (_book(1, "snapshot", 7), (Quote,)),
        (_book(1, "delta", 8), (Ignored,)),
        (_book(200, "snapshot", 177400506), (BookUpdate,)),
        (_book(200, "delta", 177400507), (BookUpdate,)),
        (_book(200, "delta", 1), (BookUpdate,)),  # the service restarted
        (b'{"topic":"kline.1.BTCUSDT","type":"snapshot","ts":1672324988882,"data":[{"start":'
         b'1672324800000,"end":1672324859999,"interval":"1","open":"1","close":"1","high":"1",'
         b'"low":"1","volume":"2.081","turnover":"34666.4","confirm":false,'
         b'"timestamp":1672324988882}]}', (Candle,)),
        (b'{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT"}}', (Ignored,)),
        (b'{"success":false,"ret_msg":"Invalid topic: x","conn_id":"c","op":"subscribe"}',
         (VenueError,)),
        (b'{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}', (VenueHeartbeat,)),
    ),
    rows=_rows,
    answers=lambda request: [
        {"success": True, "ret_msg": "subscribe", "req_id": request["req_id"], "op": request["op"]}
    ],
    refusal=lambda request: {
        "success": False, "ret_msg": f"Invalid symbol :[{request['args'][0]}]", "op": "subscribe",
        "req_id": request["req_id"],
    },
    pong=b'{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}',
    natives=("BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"),
)  # fmt: skip
