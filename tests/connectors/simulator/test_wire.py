"""How the exchange cares for its connections: pings, slow readers, fast clocks."""

import asyncio
import base64
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from connectors.simulator.venue import Limits
from connectors.simulator.wire import TEXT, frame
from tests.connectors.simulator.harness import Exchange, exchange, until


@pytest.mark.parametrize(("size", "header"), [(125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_frames_are_rfc_6455(size: int, header: int) -> None:
    """Lengths in 7, 16 or 64 bits; final, text, not masked."""
    raw = frame(TEXT, b"x" * size)
    assert raw[0] == 0x81 and len(raw) == header + size
    length = raw[1] if header == 2 else int.from_bytes(raw[2:header])
    assert length == size


async def test_pings_keep_a_client_that_answers() -> None:
    """A websockets client answers pings by itself and stays for many of them."""
    limits = Limits(ping_every=0.4, pong_within=0.6)
    async with exchange(limits=limits) as here:
        client = await here.binance("btcusdt@trade")
        await asyncio.sleep(1.5)  # several pings, more than twice the time for a pong
        await (await client.socket.ping())
        assert here.engine.venues["binance"].connections


async def test_client_without_pongs_is_dropped(tmp_path: Path) -> None:
    """The server's ping has a payload; who does not answer is cut off."""
    limits = Limits(ping_every=0.1, pong_within=0.5)
    async with (
        exchange(tmp_path / "ledger", limits=limits) as here,
        aiohttp.ClientSession() as http,
    ):
        url = here.addresses["binance"]["ws"] + "/ws/btcusdt@trade"
        client = await http.ws_connect(url, autoping=False)
        pings = []
        async for message in client:
            if message.type is aiohttp.WSMsgType.PING:
                pings.append(message.data)
        assert pings and all(pings)
        reasons = [one["reason"] for one in here.ledger() if one.get("kind") == "dropped"]
        assert reasons == ["no pong"]


def deaf_client(here: Exchange, path: str) -> socket.socket:
    """A client that shakes hands and never reads again."""
    address = urlsplit(here.addresses["binance"]["ws"])
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((address.hostname, address.port))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return client


async def test_slow_reader_is_dropped(tmp_path: Path) -> None:
    """Who leaves too much unread is cut; a client that reads is not."""
    limits = Limits(max_unread=100_000)
    async with exchange(tmp_path / "ledger", limits=limits, rate=5000.0) as here:
        client = await here.binance("btcusdt@trade")
        with deaf_client(here, "/ws/btcusdt@trade"):
            venue = here.engine.venues["binance"]
            await until(lambda: len(venue.connections) == 2, "both connected")
            await until(lambda: len(venue.connections) == 1, "the slow one dropped")
        reasons = [one["reason"] for one in here.ledger() if one.get("kind") == "dropped"]
        assert len(reasons) == 1 and "bytes unread" in reasons[0]
        seen = len(client.frames)
        await until(lambda: len(client.frames) > seen, "more trades")


async def test_fast_clock_waits_for_slow_clients() -> None:
    """In a catch-up time stands while a client does not keep up, instead of flooding it."""
    settings: dict[str, Any] = {
        "start_us": None,
        "since_seconds": 36_000.0,
        "catch_up": 500.0,
        "rate": 200.0,
    }
    async with exchange(waiting_for={"binance": 1}, **settings) as here:
        with deaf_client(here, "/ws/btcusdt@trade"):
            await until(lambda: here.engine.held_back_seconds > 0.2, "the clock is held back")
            stands_at = here.engine.clock.now_us
            await asyncio.sleep(0.3)
            assert here.engine.clock.now_us == stands_at
            assert here.engine.venues["binance"].subscribers == 1
        await until(lambda: here.engine.clock.now_us > stands_at, "time goes on without it")
