"""OKX v5: docs-v5 (2026); the recording is of 2022-05, before books had prevSeqId."""

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import (
    BookBroken,
    Ignored,
    Instrument,
    ReconnectRequest,
    VenueError,
    VenueHeartbeat,
)
from tests.connectors.exchanges.sample import Sample, newest_first

_TRADE = (
    '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":'
    '"130639474","px":PRICE,"sz":SIZE,"side":"buy","ts":TIME,"count":"3"}]}'
)


def _book(action: str, sequence: int, previous: int) -> bytes:
    return (
        f'{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{action}","data":[{{"asks":'
        '[["8476.98","415","0","13"]],"bids":[["8476.97","256","0","12"]],"ts":"1597026383085",'
        f'"checksum":0,"prevSeqId":{previous},"seqId":{sequence}}}]}}'
    ).encode()


_NOTICE = (
    b'{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service '
    b'upgrade. Please reconnect.","connId":"a4d3ae55"}'
)

SAMPLE = Sample(
    venue="okx",
    instruments=(
        Instrument("BTC-USDT", "BTC-USDT", "0.1", "0.00000001"),
        Instrument("ETH-USDT", "ETH-USDT", "0.01", "0.000001"),
    ),
    listing=b'{"code":"0","data":[{"instId":"BTC-USDT","tickSz":"0.1","lotSz":"0.00000001"},'
    b'{"instId":"ETH-USDT","tickSz":"0.01","lotSz":"0.000001"}]}',
    trade=_TRADE,
    time=lambda micros: f'"{micros // 1000}"',
    frames=(
        (_TRADE.replace("PRICE", '"42219.9"').replace("SIZE", '"0.12060306"')
         .replace("TIME", '"1630048897897"').encode(), (Trade,)),
        (b'{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["8476.98","415","0",'
         b'"13"]],"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","seqId":123456}]}',
         (Quote,)),
        (_book("snapshot", 123456, -1), (BookUpdate,)),
        (_book("update", 123459, 123456), (BookUpdate,)),
        (_book("update", 123459, 123459), (BookUpdate,)),  # kept alive without a change
        (_book("update", 5, 123459), (BookUpdate, BookBroken)),
        (b'{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1597026383085","8533.02",'
         b'"8553.74","8527.17","8548.26","45247","529.58","5529.58","1"]]}', (Candle,)),
        (b'{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"last":"1"}]}', (Ignored,)),
        (b'{"event":"error","code":"60012","msg":"Invalid request","connId":"a4"}', (VenueError,)),
        (_NOTICE, (ReconnectRequest,)),
        (b"pong", (VenueHeartbeat,)),
    ),
    rows=lambda query, rows: {"code": "0", "data": [
        {"instId": "BTC-USDT", "tradeId": str(row.number), "px": f"{row.number}", "sz": "2",
         "side": "buy", "ts": str(row.ms)}
        for row in newest_first(rows, query.get("after"), int(query["limit"]))
    ]},
    answers=lambda request: [
        {"id": request["id"], "event": request["op"], "arg": arg} for arg in request["args"]
    ],
    refusal=lambda request: {
        "event": "error", "code": "60018",
        "msg": "Wrong URL or channel:{channel},instId:{instId} doesn't exist.".format(
            **request["args"][0]
        ),
    },
    maintenance=_NOTICE,
    pong=b"pong",
    natives=("BTC-USDT", "BTC-USD-220527", "UNI-USD-SWAP"),
)  # fmt: skip
