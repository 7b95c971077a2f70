"""The texts of Kraken's v2 frames: numbers at the pair's precision, checksums, trades, books.

After docs.kraken.com, spot-websocket-v2 and its guide to book checksums (2026).
"""

import zlib
from collections.abc import Iterable, Sequence

from connectors.simulator.book import Changes
from connectors.simulator.instruments import E8, Instrument, fixed, rfc3339_micros
from connectors.simulator.market import SymbolMarket
from connectors.simulator.venue import TradeText

CHECKED_LEVELS = 10
"""Levels of each side that a checksum covers."""
MINUTE_US = 60_000_000


def _digits(value: int, decimals: int) -> str:
    return fixed(value, decimals).replace(".", "").lstrip("0")


def checksum(instrument: Instrument, bids: dict[int, int], asks: dict[int, int]) -> int:
    """CRC32 of the ten best asks and then the ten best bids, both best first.

    Of each level the digits of the price and of the size as they travel, without the point and
    without leading zeros.
    """
    price, size = instrument.price_decimals, instrument.size_decimals
    text = "".join(
        _digits(level, price) + _digits(side[level], size)
        for side in (asks, bids)
        for level in list(side)[:CHECKED_LEVELS]
    )
    return zlib.crc32(text.encode())


def levels(instrument: Instrument, changes: Iterable[tuple[int, int]]) -> str:
    """``[{"price":68016.19,"qty":0.00100000},…]``."""
    price, size = instrument.price_decimals, instrument.size_decimals
    parts = (f'{{"price":{fixed(p, price)},"qty":{fixed(s, size)}}}' for p, s in changes)
    return f"[{','.join(parts)}]"


def book(
    kind: str, instrument: Instrument, bids: Changes, asks: Changes, crc: int, now_us: int
) -> bytes:
    """A frame of ``book``; ``kind`` is snapshot or update."""
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{instrument.native_symbol}",'
        f'"bids":{levels(instrument, bids)},"asks":{levels(instrument, asks)},'
        f'"checksum":{crc},"timestamp":"{rfc3339_micros(now_us)}"}}]}}'
    ).encode()


def trades(kind: str, native_symbol: str, made: Sequence[TradeText]) -> bytes:
    """A frame of ``trade``, oldest first; ``side`` is the taker's."""
    parts = ",".join(
        f'{{"symbol":"{native_symbol}","side":"{"buy" if t.buy else "sell"}",'
        f'"price":{t.price},"qty":{t.size},"ord_type":"market","trade_id":{t.trade_id},'
        f'"timestamp":"{rfc3339_micros(t.time_us)}"}}'
        for t in made
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{parts}]}}'.encode()


def ticker(kind: str, symbol: SymbolMarket, best: tuple[int, int, int, int], now_us: int) -> bytes:
    """A frame of ``ticker``; the day's figures are those of the first price."""
    instrument = symbol.instrument
    price, size = instrument.price_decimals, instrument.size_decimals
    bid, bid_size, ask, ask_size = best
    newest = symbol.history.last(1)
    last = newest[0][2] if newest else bid
    first = instrument.price
    change = last - first
    sign = "-" if change < 0 else ""
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{instrument.native_symbol}",'
        f'"bid":{fixed(bid, price)},"bid_qty":{fixed(bid_size, size)},'
        f'"ask":{fixed(ask, price)},"ask_qty":{fixed(ask_size, size)},'
        f'"last":{fixed(last, price)},"volume":0.0,"vwap":{fixed(last, price)},'
        f'"low":{fixed(min(first, last), price)},"high":{fixed(max(first, last), price)},'
        f'"change":{sign}{fixed(abs(change), price)},'
        f'"change_pct":{change / first * 100:.2f},"timestamp":"{rfc3339_micros(now_us)}"}}]}}'
    ).encode()


def candle(kind: str, symbol: SymbolMarket, now_us: int) -> bytes | None:
    """A frame of ``ohlc`` with the running minute; None where nothing was traded in it."""
    begin = now_us // MINUTE_US * MINUTE_US
    history, instrument = symbol.history, symbol.instrument
    rows = history.between(history.first_at(begin), history.next_id)
    if not rows:
        return None
    decimals = instrument.price_decimals
    prices = [row[2] for row in rows]
    volume = sum(row[3] for row in rows)
    vwap = sum(row[2] * row[3] for row in rows) // volume
    first = rfc3339_micros(begin).replace("Z", "000Z")
    return (
        f'{{"channel":"ohlc","type":"{kind}","timestamp":"{rfc3339_micros(now_us)}",'
        f'"data":[{{"symbol":"{instrument.native_symbol}","open":{fixed(prices[0], decimals)},'
        f'"high":{fixed(max(prices), decimals)},"low":{fixed(min(prices), decimals)},'
        f'"close":{fixed(prices[-1], decimals)},"trades":{len(rows)},'
        f'"volume":{volume // E8}.{volume % E8:08d},"vwap":{fixed(vwap, decimals)},'
        f'"interval_begin":"{first}","interval":1,'
        f'"timestamp":"{rfc3339_micros(begin + MINUTE_US)}"}}]}}'
    ).encode()
