"""GMO Coin: api.coin.z.com/docs (2026), and the shapes that a public client captured (2025-04)."""

from connectors.events import BookUpdate, Quote, Trade
from connectors.exchanges.base import Ignored, Instrument, ReconnectRequest, VenueError
from tests.connectors.exchanges.sample import Sample, iso, text

_TRADE = (
    '{"channel":"trades","price":PRICE,"side":"SELL","size":SIZE,"symbol":"BTC","timestamp":TIME}'
)


def _rows(query: dict[str, str], rows: object) -> object:
    newest = list(rows)[::-1][: int(query["count"])]  # type: ignore[call-overload]
    return {"status": 0, "data": {"pagination": {"currentPage": 1, "count": 100}, "list": [
        {"price": "15", "side": "BUY", "size": "2", "timestamp": iso(row.number * 1000 // 1000)}
        for row in newest
    ]}}  # fmt: skip


SAMPLE = Sample(
    venue="gmo",
    instruments=(
        Instrument("BTC-JPY", "BTC", "1", "0.0001"),
        Instrument("BTC-JPY-LEV", "BTC_JPY", "1", "0.01"),
    ),
    listing=b'{"status":0,"data":[{"symbol":"BTC","tickSize":"1","sizeStep":"0.0001"},'
    b'{"symbol":"BTC_JPY","tickSize":"1","sizeStep":"0.01"}]}',
    trade=_TRADE,
    time=lambda micros: text(iso(micros)),
    frames=(
        (_TRADE.replace("PRICE", '"13492957"').replace("SIZE", '"0.004"')
         .replace("TIME", '"2023-04-30T13:09:43.601Z"').encode(), (Trade,)),
        (b'{"channel":"orderbooks","asks":[{"price":"13494275","size":"0.003"}],"bids":[{"price":'
         b'"13491909","size":"0.049"}],"symbol":"BTC","timestamp":"2023-04-30T13:09:45.326Z",'
         b'"grouping":"1"}', (Quote, BookUpdate)),
        (b'{"channel":"ticker","ask":"750760","bid":"750600","symbol":"BTC"}', (Ignored,)),
        (b'{"error":"ERR-5003 Request too many."}', (VenueError,)),
        (b'{"error":"ERR-5201 MAINTENANCE."}', (ReconnectRequest,)),
    ),
    rows=_rows,
    maintenance=b'{"error":"ERR-5201 MAINTENANCE."}',
)  # fmt: skip
