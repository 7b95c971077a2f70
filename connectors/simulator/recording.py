"""Recorded frames: reading them, and what they say, with plain ``json``.

A recording is JSON lines, zstd-compressed where the name ends in ``.zst``: a ``header`` line,
``http`` lines (``url``, ``data``: a REST answer) and ``recv`` lines (``ts``: seconds, ``data``:
the frame's text exactly as it travelled).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import zstandard


class RecordedTrade(NamedTuple):
    """A trade of a recorded frame; ``raw`` is the venue's own object."""

    native_symbol: str
    trade_id: int
    price: str
    size: str
    buy: bool
    time_us: int
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """One frame: when (µs since the first), what for (stream, or channel and product)."""

    offset_us: int
    key: tuple[str, str]
    snapshot: bool
    text: str
    trades: Sequence[RecordedTrade]


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One REST answer."""

    path: str
    query: dict[str, list[str]]
    body: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording; ``start_us`` is when its first frame was received."""

    exchange: str
    start_us: int
    frames: tuple[RecordedFrame, ...]
    answers: tuple[RecordedAnswer, ...]


def load_recording(path: Path) -> Recording:
    """Read a recording of Binance or Coinbase; ValueError for another venue or no frames."""
    exchange = ""
    frames: list[RecordedFrame] = []
    answers: list[RecordedAnswer] = []
    start_us: int | None = None
    for line in _lines(path):
        kind = line["t"]
        if kind == "header":
            exchange = line["exchange"].lower()
            if exchange not in _READERS:
                raise ValueError(f"{path}: recordings of {exchange} cannot be played")
        elif kind == "http":
            url = urlsplit(line["url"])
            answers.append(RecordedAnswer(url.path, parse_qs(url.query), line["data"]))
        elif kind == "recv":
            at_us = round(line["ts"] * 1_000_000)
            start_us = at_us if start_us is None else start_us
            frame = _READERS[exchange](at_us - start_us, line["data"])
            if frame is not None:
                frames.append(frame)
    if start_us is None:
        raise ValueError(f"{path}: no frames")
    return Recording(exchange, start_us, tuple(frames), tuple(answers))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".zst":
        with zstandard.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)
    else:
        with path.open(encoding="utf-8") as plain:
            yield from map(json.loads, plain)


def _binance_frame(offset_us: int, text: str) -> RecordedFrame | None:
    message = json.loads(text)
    if "stream" not in message:
        return None
    data = message["data"]
    trades = []
    if data.get("e") in ("trade", "aggTrade"):
        trades.append(
            RecordedTrade(
                native_symbol=data["s"],
                trade_id=data["t"] if data["e"] == "trade" else data["a"],
                price=data["p"],
                size=data["q"],
                buy=not data["m"],
                time_us=data["T"] * 1000,
                raw=data,
            )
        )
    return RecordedFrame(offset_us, (message["stream"], ""), False, text, trades)


def _coinbase_frame(offset_us: int, text: str) -> RecordedFrame | None:
    message = json.loads(text)
    channel, event = message["channel"], message["events"][0]
    if channel == "subscriptions":
        return None  # acknowledgements are made for the client that asks
    raw = [trade for one in message["events"] for trade in one.get("trades", ())]
    trades = [
        RecordedTrade(
            native_symbol=one["product_id"],
            trade_id=int(one["trade_id"]),
            price=one["price"],
            size=one["size"],
            buy=one["side"] == "SELL",  # the maker sold, so the aggressor bought
            time_us=time_us(one["time"]),
            raw=one,
        )
        for one in reversed(raw)  # written newest first
    ]
    channel = {"l2_data": "level2"}.get(channel, channel)
    key = channel, "heartbeats" if channel == "heartbeats" else _product(event)
    return RecordedFrame(offset_us, key, event.get("type") == "snapshot", text, trades)


def _product(event: dict[str, Any]) -> str:
    if "product_id" in event:
        return str(event["product_id"])
    rows = event.get("trades") or event.get("tickers") or event.get("candles") or [{}]
    return str(rows[0].get("product_id", ""))


def time_us(text: str) -> int:
    """µs of an RFC 3339 time in UTC with any number of decimals; further digits are cut."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    second = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return int(second) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


_READERS = {"binance": _binance_frame, "coinbase": _coinbase_frame}
