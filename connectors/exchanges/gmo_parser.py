"""GMO Coin, public WebSocket and REST API v1.

Source: api.coin.z.com/docs (2026); frames captured by a public client (2025-04).

    {"command":"subscribe","channel":"trades","symbol":"BTC","option":"TAKER_ONLY"}
    {"channel":"trades","price":"13492957","side":"SELL","size":"0.004","symbol":"BTC",
     "timestamp":"2025-04-30T13:09:43.601Z"}

Meanings: nothing confirms a subscription; with TAKER_ONLY each fill comes once and ``side`` is the
taker's; each ``orderbooks`` frame is a whole book, whose best levels are our quotes (the ticker has
no sizes). Errors are ``{"error":"ERR-5003 ..."}``, 5201 and 5202 announce maintenance. ``BTC`` is
spot (``BTC-JPY`` here), ``BTC_JPY`` the leveraged product (``BTC-JPY-LEV``). There are no candles.

There is no trade id: it is composed of the time in ms x 1000 + the trade's place among those of
its ms. All connections count alike, but one that opens in the middle of such a group counts from
zero there; of more than 1000 trades in a ms the rest are dead letters.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.events import Level
from connectors.exchanges import checks
from connectors.exchanges.base import (
    Channel,
    Ignored,
    Item,
    ReconnectRequest,
    Subscription,
    VenueError,
)
from connectors.exchanges.tolerant import TolerantParser, TradeFields, encode, side

CHANNELS: Final[dict[Channel, str]] = {
    "trades": "trades", "quotes": "orderbooks", "books": "orderbooks"
}  # fmt: skip
PER_MS: Final = 1000
MAINTENANCE: Final = ("ERR-5201", "ERR-5202")


class GmoParser(TolerantParser):
    """One connection."""

    venue = "gmo"

    def channels(self) -> Mapping[Channel, str]:
        """See `TolerantParser.channels`."""
        return CHANNELS

    def request(self, added: bool, subscriptions: list[Subscription]) -> list[bytes]:
        """Return one request per channel name and symbol; quotes and books share theirs."""
        kept = {(CHANNELS[one.channel], one.symbol) for one in self.wanted}
        asked = dict.fromkeys((CHANNELS[one.channel], one.symbol) for one in subscriptions)
        command = "subscribe" if added else "unsubscribe"
        return [
            encode(
                {"command": command, "channel": name, "symbol": self.natives[symbol]}
                | ({"option": "TAKER_ONLY"} if name == "trades" else {})
            )
            for name, symbol in asked
            if added or (name, symbol) not in kept
        ]

    def read(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        """See `TolerantParser.read`."""
        fields = checks.mapping(message, "frame")
        if "error" in fields:
            text = checks.clean(fields["error"])
            code = text.split(" ")[0]
            return [ReconnectRequest(text) if code in MAINTENANCE else VenueError(code, text, ())]
        name, native = fields.get("channel"), fields.get("symbol")
        if name == "trades":

            def trade(row: Any, native: str) -> Item:
                place = self.ordinal(native, row.get("timestamp"))
                return self.trade(native, trade_fields(row, place), ts_recv)

            return self.parts("trades", native, [fields], trade, frame)
        if name != "orderbooks":
            checks.text(name, "channel")
            return [Ignored(checks.clean(name, 40))]

        def book(row: Any, native: str) -> list[Item]:
            bids, asks = levels(row.get("bids"), "bids"), levels(row.get("asks"), "asks")
            return self.whole_book(
                self.head(native, checks.iso(row.get("timestamp")), ts_recv), bids, asks
            )

        return self.parts("books", native, [fields], book, frame)


def levels(value: object, name: str) -> list[Level]:
    """Return one side from ``[{"price":"..","size":".."}]``, the best first."""
    return [
        (checks.price(level.get("price")), checks.size(level.get("size"), zero=True))
        for level in (checks.mapping(one, name) for one in checks.items(value, name))
    ]


def trade_fields(row: Mapping[str, Any], ordinal: int) -> TradeFields:
    """Read a trade of the socket or of REST: they have the same names."""
    time = checks.iso(row.get("timestamp"))
    if ordinal >= PER_MS:
        raise checks.Reject("trade_id", f"more than {PER_MS} trades at {row.get('timestamp')}")
    number = time // 1000 * PER_MS + ordinal
    if number <= 0:
        raise checks.Reject("time", f"event time is not after 1970: {time} µs")
    price, size = checks.price(row.get("price")), checks.size(row.get("size"))
    return time, str(number), number, price, size, side(row.get("side"))
