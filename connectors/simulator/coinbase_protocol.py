"""Coinbase Advanced Trade's WebSocket protocol without a market.

After websocket-channels.md and a recording of 2026-08: one channel per subscribe message; snapshots
come before the acknowledgement; ``sequence_num`` counts all frames of a connection.
"""

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

from aiohttp import web

from connectors.simulator.clock import Clock
from connectors.simulator.faults import Faults
from connectors.simulator.instruments import rfc3339
from connectors.simulator.ledger import Ledger
from connectors.simulator.venue import Limits, Server
from connectors.simulator.wire import Connection

HEARTBEATS = "heartbeats"


class CoinbaseProtocol(Server):
    """Connections and their channels; what the channels carry is for others to say."""

    name: ClassVar[str] = "coinbase"
    messages_per_second: ClassVar[int] = 8
    channels: ClassVar[tuple[str, ...]] = ("market_trades", "level2", "ticker", HEARTBEATS)

    own_heartbeats: ClassVar[bool] = True
    """Whether heartbeats are made here, once a second, rather than recorded."""

    def __init__(self, ledger: Ledger, faults: Faults, clock: Clock, limits: Limits) -> None:
        super().__init__(ledger, faults, clock, limits)
        self.listeners: dict[tuple[str, str], list[Connection]] = {}
        self._heartbeat = 0
        self._last_heartbeat = 0.0

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The WebSocket at ``/``."""
        router.add_get("/", self.websocket)

    @property
    @abstractmethod
    def products(self) -> Collection[str]:
        """What is listed."""

    @abstractmethod
    def snapshot(self, conn: Connection, channel: str, product: str) -> None:
        """Send what a new subscriber gets before the acknowledgement."""

    def channel_closed(self, channel: str, product: str) -> None:
        """The last client has left a channel of a product."""

    def connected(self, conn: Connection, request: web.Request) -> None:
        """Nothing is subscribed by the address."""

    def left(self, conn: Connection) -> None:
        """Take a client off all channels."""
        for channel, products in conn.subscriptions.items():
            for product in products:
                self._remove(channel, product, conn)
        conn.subscriptions = {}

    def subscribed_to_trades(self, conn: Connection) -> bool:
        """Whether a client has ``market_trades`` of any product."""
        return bool(conn.subscriptions.get("market_trades"))

    def say_goodbye(self, conn: Connection, delay: float) -> None:
        """Coinbase closes with 1001, going away."""
        self.drop(conn, "server shutdown", code=1001)

    def tend(self, now: float) -> None:
        """Also drop clients that subscribe to nothing, and send heartbeats."""
        super().tend(now)
        for conn in tuple(self.connections.values()):
            idle = not any(conn.subscriptions.values())
            if idle and now - conn.opened > self.limits.subscribe_within:
                self.drop(conn, "did not subscribe in time", code=1008)
        if not self.own_heartbeats or now - self._last_heartbeat < 1.0:
            return
        self._last_heartbeat = now
        self._heartbeat += 1
        if not self.faults.active("silence", ""):
            self._send_heartbeats()

    def _send_heartbeats(self) -> None:
        moment = rfc3339(self.market_now_us())[:-1].replace("T", " ")
        event = (
            f'{{"current_time":"{moment} +0000 UTC m=+{time.monotonic():.9f}",'
            f'"heartbeat_counter":{self._heartbeat}}}'
        )
        for conn in self.listeners.get((HEARTBEATS, HEARTBEATS), ()):
            self.send(conn, HEARTBEATS, event)

    def received(self, conn: Connection, text: str) -> None:
        """Subscribe or unsubscribe one channel, or say what is wrong."""
        problem = self._execute(conn, text)
        if problem is not None:
            conn.send(json.dumps({"type": "error", "message": problem}).encode())

    def _execute(self, conn: Connection, text: str) -> str | None:
        try:
            request = json.loads(text)
        except ValueError:
            return "malformed JSON"
        if not isinstance(request, dict) or request.get("type") not in ("subscribe", "unsubscribe"):
            return "type must be subscribe or unsubscribe"
        channel, products = request.get("channel"), request.get("product_ids", [])
        if channel not in self.channels:
            return f"channel {channel} is not supported"
        problem = self._check(channel, products)
        if problem is None:
            if channel == HEARTBEATS:
                products = [HEARTBEATS]
            self.note_subscribed()
            if request["type"] == "subscribe":
                self._subscribe(conn, channel, products)
            else:
                self._unsubscribe(conn, channel, products)
            self._acknowledge(conn)
        return problem

    def _check(self, channel: str, products: Any) -> str | None:
        if not isinstance(products, list) or not all(isinstance(p, str) for p in products):
            return "product_ids must be a list of strings"
        if channel != HEARTBEATS and not products:
            return "product_ids must not be empty"
        unknown = [product for product in products if product not in self.products]
        if unknown and channel != HEARTBEATS:
            return f"{unknown[0]} is not a valid product"
        return None

    def _acknowledge(self, conn: Connection) -> None:
        subscribed = {c: sorted(p) for c, p in sorted(conn.subscriptions.items()) if p}
        event = json.dumps({"subscriptions": subscribed}, separators=(",", ":"))
        self.send(conn, "subscriptions", event)

    def _subscribe(self, conn: Connection, channel: str, products: Sequence[str]) -> None:
        mine = conn.subscriptions.setdefault(channel, set())
        for product in products:
            if product not in mine:
                mine.add(product)
                listeners = self.listeners.setdefault((channel, product), [])
                listeners.append(conn)
            if not self.faults.active("silence", product):
                self.snapshot(conn, channel, product)

    def _unsubscribe(self, conn: Connection, channel: str, products: Sequence[str]) -> None:
        mine = conn.subscriptions.setdefault(channel, set())
        for product in products:
            if product in mine:
                mine.discard(product)
                self._remove(channel, product, conn)

    def _remove(self, channel: str, product: str, conn: Connection) -> None:
        listeners = self.listeners[channel, product]
        listeners.remove(conn)
        if not listeners:
            del self.listeners[channel, product]
            self.channel_closed(channel, product)

    def send(
        self,
        conn: Connection,
        channel: str,
        event: str,
        change: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """Queue one frame with the connection's next sequence number."""
        now_us = self.market_now_us()
        stamp = f"{rfc3339(now_us - now_us % 1_000_000)[:-1]}.{now_us % 1_000_000:06d}"
        payload = (
            f'{{"channel":"{channel}","timestamp":"{stamp}{now_us // 7 % 900 + 99:03d}Z",'
            f'"sequence_num":{conn.sequence},"events":[{event}]}}'
        ).encode()
        conn.sequence += 1
        conn.send(payload if change is None else change(payload))
