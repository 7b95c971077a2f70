"""Kraken v2: docs.kraken.com (2026). The books are the example of its page on checksums."""

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import BookBroken, Ignored, Instrument, VenueHeartbeat
from tests.connectors.exchanges.sample import Sample, iso, text

ASKS = (
    "45285.2 0.00100000|45286.4 1.54571953|45286.6 1.54571109|45289.6 1.54560911|"
    "45290.2 0.15890660|45291.8 1.54553491|45294.7 0.04454749|45296.1 0.35380000|"
    "45297.5 0.09945542|45299.5 0.18772827"
)
BIDS = (
    "45283.5 0.10000000|45283.4 1.54582015|45282.1 0.10000000|45281.0 0.10000000|"
    "45280.3 1.54592586|45279.0 0.07990000|45277.6 0.03310103|45277.5 0.30000000|"
    "45277.3 1.54602737|45276.6 0.15445238"
)
CHECKSUM = 3310070434


def levels(side: str) -> str:
    """Return levels as Kraken writes them: JSON numbers with all their zeros."""
    cut = [level.split() for level in side.split("|") if level]
    return ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in cut)


def book(kind: str, bids: str, asks: str, checksum: int) -> bytes:
    """Return a frame of BTC/USD."""
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{levels(bids)}],'
        f'"asks":[{levels(asks)}],"checksum":{checksum},"timestamp":"2023-11-14T22:13:19.440295Z"'
        "}]}"
    ).encode()


_TRADE = (
    '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":PRICE,'
    '"qty":SIZE,"ord_type":"limit","trade_id":10218208,"timestamp":TIME}]}'
)


def _rows(query: dict[str, str], rows: object) -> object:
    since = int(query.get("since", "0"))
    found = [row for row in rows if row.ms * 1_000_000 > since]  # type: ignore[attr-defined]
    found = found[:1000] if since else found[-1000:]
    page = [["1.50000", "2.00000000", row.ms / 1000, "b", "l", "", row.number] for row in found]
    return {"error": [], "result": {"XXBTZUSD": page, "last": "1"}}


def _listed(name: str, wsname: str) -> str:
    return (
        f'"{name}":{{"altname":"{name}","wsname":"{wsname}","pair_decimals":1,"lot_decimals":8,'
        '"status":"online"}'
    )


SAMPLE = Sample(
    venue="kraken",
    instruments=(
        Instrument("BTC-USD", "BTC/USD", "0.1", "0.00000001"),
        Instrument("DOGE-USD", "DOGE/USD", "0.1", "0.00000001"),
    ),
    listing=(
        f'{{"error":[],"result":{{{_listed("XXBTZUSD", "XBT/USD")},'
        f'{_listed("XDGUSD", "XDG/USD")}}}}}'
    ).encode(),
    trade=_TRADE,
    time=lambda micros: text(iso(micros)),
    frames=(
        (b'{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2"}]}',
         (Ignored,)),
        (b'{"channel":"heartbeat"}', (VenueHeartbeat,)),
        (_TRADE.replace("PRICE", "105944.20").replace("SIZE", "1e-05")
         .replace("TIME", '"2023-11-14T22:13:19.440295Z"').encode(), (Trade,)),
        (b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":105944.2,'
         b'"bid_qty":2.5,"ask":105944.3,"ask_qty":3.2,"volume":163.28}]}', (Quote,)),
        (b'{"channel":"ohlc","type":"update","timestamp":"2023-11-14T22:13:19Z","data":[{"symbol":'
         b'"BTC/USD","interval":1,"interval_begin":"2023-11-14T22:13:00.000000Z","open":1,"high":1,'
         b'"low":1,"close":1,"volume":3.0,"vwap":1,"trades":12}]}', (Candle,)),
        (book("snapshot", BIDS, ASKS, CHECKSUM), (BookUpdate,)),
        (book("update", "45283.5 0.10000000", "", CHECKSUM), (BookUpdate,)),
        (book("update", "45283.5 0.20000000", "", CHECKSUM), (BookBroken,)),
        (book("update", "45283.5 0.10000000", "", CHECKSUM), (BookUpdate,)),
        (book("snapshot", BIDS, ASKS, CHECKSUM), (BookUpdate,)),
    ),
    rows=_rows,
    answers=lambda request: [
        {"method": request["method"], "success": True, "req_id": request["req_id"],
         "result": {"channel": request["params"]["channel"], "symbol": symbol}}
        for symbol in request["params"]["symbol"]
    ],
    refusal=lambda request: {
        "method": request["method"], "success": False, "req_id": request["req_id"],
        "error": "Currency pair not supported", "symbol": request["params"]["symbol"][0],
    },
    pong=b'{"method":"pong","time_in":"2023-09-25T09:05:00.123456Z"}',
    numbers=True,
)  # fmt: skip
