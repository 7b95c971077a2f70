"""Binance's user data stream: frames from the venue's documentation, and its signature."""

import json
from typing import Any

import pytest

from connectors.events import OrderEvent, PositionUpdate
from connectors.exchanges.base import DeadLetter, Instrument, ReconnectRequest, VenueError
from connectors.exchanges.binance_private import PrivateParser, signature, subscribe_frame

NOW = 1_499_405_659_000_000
REPORT: dict[str, Any] = {
    "e": "executionReport",
    "E": 1499405658658,
    "s": "ETHBTC",
    "c": "mUvoqJxFIILMdfAW5iGSOW",
    "S": "BUY",
    "o": "LIMIT",
    "f": "GTC",
    "q": "1.00000000",
    "p": "0.10264410",
    "C": "",
    "x": "NEW",
    "X": "NEW",
    "r": "NONE",
    "i": 4293153,
    "l": "0.00000000",
    "z": "0.00000000",
    "L": "0.00000000",
    "n": "0",
    "N": None,
    "T": 1499405658657,
    "t": -1,
    "I": 8641984,
    "Z": "0.00000000",
}


def parse(event: object, bare: bool = False) -> Any:
    """The only item of a frame."""
    parser = PrivateParser([Instrument("ETH-BTC", "ETHBTC", "0.1", "0.1")], "p-1")
    message = event if bare else {"subscriptionId": 0, "event": event}
    (item,) = parser.parse(json.dumps(message).encode(), NOW)
    return item


def test_an_order_report() -> None:
    """Numbers as text, the transaction's time, no trade where ``t`` is -1."""
    order = parse(REPORT)
    assert isinstance(order, OrderEvent)
    assert (order.symbol, order.side, order.status, order.order_id) == (
        *("ETH-BTC", "buy", "new"),
        "4293153",
    )
    assert (order.ts_event, order.trade_id, order.reason) == (1499405658657000, None, None)
    assert (order.price, order.size) == ("0.10264410", "1.00000000")


def test_a_fill_and_a_cancel() -> None:
    """A fill names its trade and fee; a canceled order keeps its own client id (``C``)."""
    fill = parse({**REPORT, "x": "TRADE", "X": "FILLED", "t": 7, "n": "0.1", "N": "BNB"})
    assert (fill.status, fill.execution, fill.trade_id) == ("filled", "trade", "7")
    assert (fill.fee, fill.fee_asset) == ("0.1", "BNB")
    cancel = parse({**REPORT, "x": "CANCELED", "X": "CANCELED", "C": "mine", "c": "of the cancel"})
    assert (cancel.status, cancel.client_order_id) == ("canceled", "mine")


def test_balances_are_one_event_an_asset() -> None:
    """With the time of the last change of the account."""
    rows = [{"a": "ETH", "f": "10000.000000", "l": "0.5"}]
    update = parse({"e": "outboundAccountPosition", "u": 1499405658657, "B": rows})
    assert isinstance(update, PositionUpdate)
    assert (update.symbol, update.free, update.locked) == ("ETH", "10000.000000", "0.5")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"p": "NaN"}, "size"),
        ({"q": None}, "size"),
        ({"X": "LOST"}, "malformed"),
        ({"S": 1}, "malformed"),
        ({"s": "NOSUCH"}, "symbol"),
        ({"T": 0}, "time"),
        ({"T": 9_999_999_999_999}, "future"),
        ({"t": "x"}, "trade_id"),
        ({"i": None}, "malformed"),
    ],
)
def test_what_is_no_order_is_a_dead_letter(change: dict[str, object], reason: str) -> None:
    """With its reason; nothing raises."""
    item = parse({**REPORT, **change})
    assert isinstance(item, DeadLetter) and item.reason == reason


def test_answers_and_ends() -> None:
    """Errors carry Binance's code; an end of the stream asks for a new connection."""
    error = parse({"id": 1, "status": 400, "error": {"code": -2014, "msg": "bad key"}}, bare=True)
    assert error == VenueError("-2014", "bad key", ())
    assert isinstance(parse({"e": "eventStreamTerminated"}), ReconnectRequest)
    assert isinstance(parse([1], bare=True), DeadLetter)


def test_the_request_is_signed_over_its_sorted_parameters() -> None:
    """HMAC-SHA256; the secret itself does not travel."""
    frame = json.loads(subscribe_frame("key", "secret", 5))
    given = frame["params"].pop("signature")
    assert given == signature({"timestamp": 5, "apiKey": "key"}, "secret") and len(given) == 64
    assert "secret" not in json.dumps(frame)
