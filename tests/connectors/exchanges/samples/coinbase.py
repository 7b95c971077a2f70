"""Coinbase Advanced Trade: developer documentation (2026)."""

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import Ignored, Instrument, VenueError, VenueHeartbeat
from tests.connectors.exchanges.sample import Sample, iso, newest_first, text


def _frame(channel: str, number: int, event: str) -> bytes:
    return (
        f'{{"channel":"{channel}","timestamp":"2023-11-14T22:13:19.251397169Z",'
        f'"sequence_num":{number},"events":[{event}]}}'
    ).encode()


_TRADE = (
    '{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"12345","price":PRICE,'
    '"size":SIZE,"time":TIME,"side":"SELL"}]}'
)


def _listed(name: str) -> str:
    return f'{{"product_id":"{name}","price_increment":"0.01","base_increment":"0.00000001"}}'


def _subscribed(request: dict[str, object]) -> list[object]:
    lists = {request["channel"]: request["product_ids"]}
    return [
        {"channel": "subscriptions", "sequence_num": 0, "events": [{"subscriptions": lists}]}
    ]  # each answer of the real venue lists all; one channel at a time here


SAMPLE = Sample(
    venue="coinbase",
    instruments=(
        Instrument("BTC-USD", "BTC-USD", "0.01", "0.00000001"),
        Instrument("ETH-USD", "ETH-USD", "0.01", "0.00000001"),
    ),
    listing=f'{{"products":[{_listed("BTC-USD")},{_listed("ETH-USD")}]}}'.encode(),
    trade=_frame("market_trades", 9, _TRADE).decode(),
    time=lambda micros: text(iso(micros)),
    frames=(
        (_frame("market_trades", 1, _TRADE.replace("PRICE", '"1.5"').replace("SIZE", '"2"')
                .replace("TIME", '"2023-11-14T22:13:19.1Z"')), (Trade,)),
        (_frame("ticker", 2, '{"type":"update","tickers":[{"product_id":"ETH-USD","best_bid":'
                '"1919.44","best_ask":"1919.49","best_bid_quantity":"0.02",'
                '"best_ask_quantity":"0.07"}]}'), (Quote,)),
        (_frame("l2_data", 3, '{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid",'
                '"price_level":"65062.5","new_quantity":"0.00583"}]}'), (BookUpdate,)),
        (_frame("l2_data", 4, '{"type":"update","product_id":"BTC-USD","updates":[{"side":"offer",'
                '"price_level":"65063","new_quantity":"0"}]}'), (BookUpdate,)),
        (_frame("candles", 5, '{"type":"update","candles":[{"start":"1699999800","high":"2","low":'
                '"1","open":"1","close":"2","volume":"0","product_id":"BTC-USD"}]}'), (Candle,)),
        (_frame("heartbeats", 6, '{"heartbeat_counter":42}'), (VenueHeartbeat,)),
        (_frame("status", 7, "{}"), (Ignored,)),
        (b'{"type":"error","message":"no"}', (VenueError,)),
    ),
    rows=lambda query, rows: [
        {"trade_id": row.number, "price": "1.5", "size": "2", "side": "buy",
         "time": iso(row.ms * 1000)}
        for row in newest_first(rows, query.get("after"), int(query["limit"]))
    ],
    answers=_subscribed,
    refusal=lambda request: {
        "type": "error", "message": f"{request['product_ids'][0]} is not a valid product"
    },
)  # fmt: skip
