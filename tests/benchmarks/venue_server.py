"""One process that plays all venues for `tests.benchmarks.venues`: confirms, then sends trades."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from multiprocessing.connection import Connection
from typing import Any

from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

from connectors.events import Trade
from connectors.exchanges import registry
from connectors.exchanges.base import Instrument, Venue
from tests.connectors.exchanges.sample import NOW, Sample, load

SYMBOLS = 50
FINE = "0.00000001"
TICK = 0.02
"""Seconds between two turns of sending; times of trades are as coarse."""
ROOM = 256 * 1024
"""Bytes that wait in a socket at which a turn is left out."""


def symbols_of(name: str) -> list[str]:
    """Made-up markets in the venue's own quote asset."""
    quote = load(name).instruments[0].symbol.split("-")[1]
    return [f"C{number}-{quote}" for number in range(SYMBOLS)]


def many(name: str) -> Venue:
    """The venue's adapter; it lists our markets, and asks for them without the venue's pauses."""
    venue = registry.venue(name)

    def parse_instruments(self: Venue, body: bytes, symbols: list[str]) -> list[Instrument]:
        return [Instrument(one, self.native_symbol(one), FINE, FINE) for one in symbols]

    limits = venue.limits._replace(messages_per_second=200.0)
    changed = {"parse_instruments": parse_instruments, "limits": limits}
    made: Venue = type("Many", (type(venue),), changed)()
    return made


class Market:
    """Frames of one venue: one trade of each symbol a round, new numbers and times."""

    def __init__(self, name: str) -> None:
        self.sample: Sample = load(name)
        first = self.sample.instruments[0].native_symbol
        venue = registry.venue(name)
        (trade,) = [
            item
            for item in self.sample.parser().parse(self.sample.trade_frame(), NOW)
            if isinstance(item, Trade)
        ]
        text = self.sample.trade
        self.number = trade.trade_seq
        if str(self.number) not in text:
            self.number //= 1024  # Bybit's: seq x 1024 + place; GMO's frames have none
        text = text.replace(str(self.number), "NUMBER")
        quote = "" if self.sample.numbers else '"'
        text = text.replace("SIZE", f"{quote}0.15{quote}")
        if name == "binance":
            # As it is on the wire: eight decimals, and the stream in lower case.
            text = text.replace("0.15", "0.15000000").replace(first.lower(), "LOWER")
        self.decimals = 8 if name == "binance" else 2
        self.quote = quote
        text = re.sub(r'"sequence_num":\d+', '"sequence_num":COUNT', text).replace("%", "%%")
        for name in ("PRICE", "TIME", "NUMBER", "COUNT"):
            text = text.replace(name, f"%({name})s")
        natives = [venue.native_symbol(one) for one in symbols_of(self.sample.venue)]
        self.templates = [
            text.replace(first, native).replace("LOWER", native.lower()) for native in natives
        ]
        self.time: Callable[[int], str] = self.sample.time

    def round(self, count: int) -> list[bytes]:
        """One frame of each symbol; Coinbase numbers the frames of a connection from ``count``."""
        self.number += 1
        values = {
            "PRICE": f"{self.quote}{68016 + self.number % 97:.{self.decimals}f}{self.quote}",
            "TIME": self.time(time.time_ns() // 1000),
            "NUMBER": str(self.number),
        }
        made = []
        for place, template in enumerate(self.templates):
            values["COUNT"] = str(count + place)
            made.append((template % values).encode())
        return made


def framed(payload: bytes) -> bytes:
    """A text frame of a server: made by hand, for the server must not be what is measured."""
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2)
    return head + payload


class Player:
    """Serves one venue; ``rate`` is trades a second and symbol, 0 as many as the socket takes."""

    def __init__(self, name: str) -> None:
        self.market = Market(name)
        self.keepalive = (self.market.sample.parser().keepalive_frame() or b"").decode()
        self.rate = 5.0

    async def handle(self, websocket: ServerConnection) -> None:
        """Confirm what is asked for, and send until the end."""
        sample, sending, numbers = self.market.sample, None, itertools.count()
        try:
            async for message in websocket:
                text = message if isinstance(message, str) else message.decode()
                if text == self.keepalive:
                    await websocket.send((sample.pong or b"{}").decode())
                    continue
                answers: list[Any] = sample.answers(json.loads(text)) if sample.answers else []
                for answer in answers:
                    if "sequence_num" in answer:
                        answer["sequence_num"] = next(numbers)
                    await websocket.send(json.dumps(answer))
                if sending is None:
                    sending = asyncio.create_task(self._send(websocket, numbers))
        except ConnectionClosed:
            return
        finally:
            if sending is not None:
                sending.cancel()

    async def _send(self, websocket: ServerConnection, numbers: Iterator[int]) -> None:
        await asyncio.sleep(1.0)
        count = next(numbers)
        transport, due = websocket.transport, 0.0
        last = time.monotonic()
        while True:
            now = time.monotonic()
            due, last = due + (now - last) * self.rate, now
            rounds = int(due) if self.rate else 4
            due -= int(due)
            if transport.get_write_buffer_size() < ROOM:
                for _ in range(rounds):
                    frames = [framed(one) for one in self.market.round(count)]
                    count += len(frames)
                    transport.write(b"".join(frames))
            await asyncio.sleep(TICK if self.rate else 0)


def answer(_: ServerConnection, request: Request) -> Response | None:
    """Anything but a socket is a listing or old trades: there is nothing to tell."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    headers = Headers({"Content-Length": "2", "Content-Type": "application/json"})
    return Response(HTTPStatus.OK, "OK", headers, b"[]")


def serve_venues(pipe: Connection) -> None:
    """Server process: sends its ports by venue; takes rates, and None for the end."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    players = {name: Player(name) for name in registry.VENUES}
    servers = {
        name: await serve(player.handle, "127.0.0.1", 0, process_request=answer, compression=None)
        for name, player in players.items()
    }
    pipe.send({name: one.sockets[0].getsockname()[1] for name, one in servers.items()})  # type: ignore[index]
    while (rate := await asyncio.to_thread(pipe.recv)) is not None:
        for player in players.values():
            player.rate = rate
