"""bitFlyer: lightning.bitflyer.com/docs (2026); frames of the recording have the same shapes."""

from connectors.events import BookUpdate, Quote, Trade
from connectors.exchanges.base import Ignored, Instrument, VenueError
from tests.connectors.exchanges.sample import Sample, iso, newest_first, text


def _frame(channel: str, message: str) -> str:
    return (
        '{"jsonrpc":"2.0","method":"channelMessage","params":{"channel":"lightning_'
        f'{channel}_BTC_JPY","message":{message}}}}}'
    )


_TRADE = _frame(
    "executions", '[{"id":2084881071,"side":"BUY","price":PRICE,"size":SIZE,"exec_date":TIME}]'
)
_BOARD = '{"mid_price":33320,"bids":[{"price":30000,"size":0.1}],"asks":[{"price":36640,"size":5}]}'

SAMPLE = Sample(
    venue="bitflyer",
    instruments=(
        Instrument("BTC-JPY", "BTC_JPY", "0.00000001", "0.00000001"),
        Instrument("BTC-JPY-FX", "FX_BTC_JPY", "0.00000001", "0.00000001"),
    ),
    listing=b'[{"product_code":"BTC_JPY","market_type":"Spot"},{"product_code":"FX_BTC_JPY",'
    b'"market_type":"FX"},{"product_code":"BTCJPY17DEC2021","alias":"BTCJPY_MAT1WK"}]',
    trade=_TRADE,
    time=lambda micros: text(iso(micros).replace("Z", "7Z")),
    frames=(
        (_TRADE.replace("PRICE", "2509125.0").replace("SIZE", "1e-08")
         .replace("TIME", '"2020-12-25T21:36:22.8840579Z"').encode(), (Trade,)),
        (_frame("ticker", '{"product_code":"BTC_JPY","state":"RUNNING","timestamp":'
                '"2020-12-25T21:16:19.3661298Z","tick_id":703768,"best_bid":24228.97,"best_ask":'
                '24252.89,"best_bid_size":0.4,"best_ask_size":0.4}').encode(), (Quote,)),
        (_frame("board", _BOARD).encode(), (BookUpdate,)),  # before the first whole board
        (_frame("board_snapshot", _BOARD).encode(), (BookUpdate,)),
        (_frame("board", _BOARD).encode(), (BookUpdate,)),
        (_frame("other", "{}").encode(), (Ignored,)),
        (b'{"jsonrpc":"2.0","id":99,"result":true}', (Ignored,)),
        (b'{"id":1,"error":{"code":-32602,"message":"Invalid params"}}', (VenueError,)),
    ),
    rows=lambda query, rows: [
        {"id": row.number, "side": "BUY", "price": 1.5, "size": 2.0,
         "exec_date": iso(row.ms * 1000).rstrip("Z")}
        for row in newest_first(rows, query.get("before"), int(query["count"]))
    ],
    answers=lambda request: [{"jsonrpc": "2.0", "id": request["id"], "result": True}],
    refusal=lambda request: {
        "id": request["id"], "error": {"code": -32602, "message": "Invalid params"}
    },
    numbers=True,
    natives=("XLM_JPY", "BTCJPY24DEC2021", "FX_BTC_JPY", "MONA_JPY", "BTC_EUR", "BTC_USD",
             "BTCJPY17DEC2021", "BCH_BTC", "ETH_JPY", "XRP_JPY"),
)  # fmt: skip
