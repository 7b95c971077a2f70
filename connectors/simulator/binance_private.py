"""The user data stream of a simulated Binance (web-socket-api.md, 2026): orders on command.

``/ws-api/v3`` takes ``userDataStream.subscribe.signature`` and ``ping`` of one account; control
sends it events: ``POST /private {"exchange": "binance", "event": {"e": "executionReport", …}}``.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from connectors.simulator.wire import Connection

PATH = "/ws-api/v3"
API_KEY = "simulated-key"
API_SECRET = "simulated-secret"
RECV_WINDOW_MS = 5_000


class BinancePrivate:
    """The connections of the WebSocket API, and who of them has subscribed."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._subscribed: dict[str, Connection] = {}

    def connected(self, conn: Connection) -> None:
        """A client of the WebSocket API."""
        self._connections[conn.name] = conn

    def left(self, conn: Connection) -> None:
        """Forget a client."""
        self._connections.pop(conn.name, None)
        self._subscribed.pop(conn.name, None)

    def serves(self, conn: Connection) -> bool:
        """Whether a connection is one of the WebSocket API."""
        return conn.name in self._connections

    def received(self, conn: Connection, text: str, now_ms: int) -> None:
        """Answer one request; ``now_ms`` is the wall clock, as keys are checked by it."""
        number: object = None
        try:
            request = json.loads(text)
            number, method = request["id"], request["method"]
            params = request.get("params", {})
        except (ValueError, KeyError, TypeError):
            self._refuse(conn, number, -1100, "Illegal characters or missing fields.")
            return
        if method == "ping":
            conn.send(_json({"id": number, "status": 200, "result": {}}))
        elif method != "userDataStream.subscribe.signature":
            self._refuse(conn, number, -1003, f"Unknown method {method}.")
        else:
            self._subscribe(conn, number, params, now_ms)

    def _subscribe(
        self, conn: Connection, number: object, params: Mapping[str, Any], now_ms: int
    ) -> None:
        if params.get("apiKey") != API_KEY:
            self._refuse(conn, number, -2014, "API-key format invalid.")
        elif not isinstance(params.get("timestamp"), int):
            self._refuse(conn, number, -1102, "Mandatory parameter 'timestamp' was not sent.")
        elif abs(now_ms - params["timestamp"]) > RECV_WINDOW_MS:
            self._refuse(conn, number, -1021, "Timestamp is outside of the recvWindow.")
        elif params.get("signature") != _signature(params):
            self._refuse(conn, number, -1022, "Signature for this request is not valid.")
        else:
            self._subscribed[conn.name] = conn
            result = {"subscriptionId": 0}
            conn.send(_json({"id": number, "status": 200, "result": result, "rateLimits": []}))

    @staticmethod
    def _refuse(conn: Connection, number: object, code: int, message: str) -> None:
        error = {"code": code, "msg": message}
        conn.send(_json({"id": number, "status": 400, "error": error, "rateLimits": []}))

    def send(self, event: Mapping[str, object], now_ms: int) -> int:
        """Send an event to all subscribers, stamped ``E`` now; gives how many there were."""
        payload = _json({"subscriptionId": 0, "event": {"E": now_ms, **event}})
        for conn in self._subscribed.values():
            conn.send(payload)
        return len(self._subscribed)


def _signature(params: Mapping[str, object]) -> str:
    text = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
    return hmac.new(API_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
