"""Binance's user data stream: what happens to our own orders and balances. Pure.

Sources: binance-spot-api-docs, web-socket-api.md and user-data-stream.md (2026). The stream is
subscribed over the WebSocket API by ``userDataStream.subscribe.signature``: listen keys were
discontinued on 2026-02-20, and ``session.logon`` takes Ed25519 keys only, while this request takes
HMAC keys too. There is nothing to keep alive but the connection: the server pings.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping

import msgspec

from connectors.decimals import VOLUMES
from connectors.events import SCHEMA_VERSION, OrderEvent, OrderStatus, PositionUpdate, Side
from connectors.exchanges import checks
from connectors.exchanges.base import (
    MAX_FUTURE,
    Control,
    DeadLetter,
    Ignored,
    Instrument,
    ReconnectRequest,
    Subscribed,
    VenueError,
)
from connectors.exchanges.checks import Reject

NAME = "binance"
PATH = "/ws-api/v3"

PrivateItem = OrderEvent | PositionUpdate | DeadLetter | Control

_STATUS: dict[str, OrderStatus] = {
    "NEW": "new",
    "PENDING_NEW": "pending_new",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
_SIDES: dict[str, Side] = {"BUY": "buy", "SELL": "sell"}


def signature(params: Mapping[str, object], secret: str) -> str:
    """HMAC-SHA256 over the parameters by name, ``a=1&b=2``, as hex."""
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def subscribe_frame(api_key: str, secret: str, now_ms: int) -> bytes:
    """The signed request; Binance takes it within 5 s of ``now_ms``."""
    params: dict[str, object] = {"apiKey": api_key, "timestamp": now_ms}
    params["signature"] = signature(params, secret)
    request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
    return msgspec.json.encode(request)


class PrivateParser:
    """Frames of one subscribed connection; ``parse`` never raises and never gives nothing.

    Args:
        instruments: Pairs whose orders are wanted; an order of another one is a dead letter.
        source: Id of the connection.
        max_future: As for market data, µs.
    """

    def __init__(
        self, instruments: Iterable[Instrument], source: str, max_future: int = MAX_FUTURE
    ) -> None:
        self._symbols = {one.native_symbol: one.symbol for one in instruments}
        self._source = source
        self._max_future = max_future

    def parse(self, frame: bytes, ts_recv: int) -> list[PrivateItem]:
        """Say what a frame means; ``ts_recv`` is its receipt in µs."""
        try:
            message = checks.mapping(checks.decoded(frame), "frame")
            if "event" in message:
                return self._event(checks.mapping(message["event"], "event"), ts_recv)
            return [_answer(message)]
        except Reject as reject:
            return [DeadLetter(reject.reason, reject.detail, None, "orders", frame)]

    def _event(self, event: dict[str, object], ts_recv: int) -> list[PrivateItem]:
        kind = event.get("e")
        if kind == "executionReport":
            return [self._order(event, ts_recv)]
        if kind == "outboundAccountPosition":
            time = checks.milliseconds(event.get("u"), ts_recv, self._max_future)
            rows = checks.items(event.get("B"), "balances")
            return [self._position(row, time, ts_recv) for row in rows] or [Ignored("no balance")]
        if kind in ("serverShutdown", "eventStreamTerminated"):
            return [ReconnectRequest(str(kind))]
        return [Ignored(checks.clean(kind, 40))]

    def _order(self, event: dict[str, object], ts_recv: int) -> OrderEvent:
        native = event.get("s")
        status, side = _STATUS.get(str(event.get("X"))), _SIDES.get(str(event.get("S")))
        if status is None or side is None:
            raise Reject(
                "malformed", f"no order: X={event.get('X')!r:.40} S={event.get('S')!r:.40}"
            )
        traded = checks.integer(event["t"], "t", "trade_id") if event.get("t", -1) != -1 else None
        fee_asset = event.get("N")
        return OrderEvent(
            NAME,
            checks.known_symbol(native, self._symbols),
            str(native),
            checks.milliseconds(event.get("T"), ts_recv, self._max_future),
            ts_recv,
            self._source,
            "venue",
            SCHEMA_VERSION,
            order_id=str(checks.integer(event.get("i"), "i")),
            # A cancel has an id of its own; the order keeps the one in C.
            client_order_id=checks.clean(event.get("C") or event.get("c"), 64),
            side=side,
            order_type=checks.clean(event.get("o"), 40).lower(),
            time_in_force=checks.clean(event.get("f"), 10),
            status=status,
            execution=checks.clean(event.get("x"), 40).lower(),
            price=_amount(event, "p"),
            size=_amount(event, "q"),
            filled_size=_amount(event, "z"),
            filled_value=_amount(event, "Z"),
            last_price=_amount(event, "L"),
            last_size=_amount(event, "l"),
            trade_id=None if traded is None else str(traded),
            fee=_amount(event, "n"),
            fee_asset=None if fee_asset is None else checks.clean(fee_asset, 20),
            reason=None if event.get("r") == "NONE" else checks.clean(event.get("r"), 80),
            sequence=checks.integer(event.get("I"), "I"),
        )

    def _position(self, row: object, time: int, ts_recv: int) -> PositionUpdate:
        balance = checks.mapping(row, "balance")
        asset = balance.get("a")
        if not isinstance(asset, str) or not asset:
            raise Reject("symbol", f"no asset: {checks.shown(asset)}")
        asset = checks.clean(asset, 20)
        head = (NAME, asset, asset, time, ts_recv, self._source)
        free, locked = _amount(balance, "f"), _amount(balance, "l")
        return PositionUpdate(*head, "venue", SCHEMA_VERSION, free=free, locked=locked)


def _amount(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if isinstance(value, str) and value in VOLUMES:
        return value
    raise Reject("size", f"{name} is no decimal text: {checks.shown(value)}")


def _answer(message: dict[str, object]) -> Control:
    """The answer to our request."""
    if message.get("status") == 200:
        return Subscribed(frozenset())
    error = message.get("error")
    if isinstance(error, dict):
        text = checks.clean(error.get("msg"))
        return VenueError(checks.clean(error.get("code"), 20), text, ())
    return Ignored("an answer without status")
