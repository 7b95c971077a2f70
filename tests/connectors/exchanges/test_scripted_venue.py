"""Each adapter over a real socket and real HTTP, against a venue that a script plays."""

import asyncio
import time

import aiohttp
import pytest
import websockets

from connectors.events import Trade
from connectors.exchanges import registry
from connectors.exchanges.base import Item, Subscribed, Subscription, VenueHeartbeat, Wanted
from tests.connectors.exchanges.sample import NOW, TIME, Row, load
from tests.connectors.exchanges.scripted_venue import scripted


async def received(socket: websockets.ClientConnection, parser: object, kind: type) -> Item:
    """Read until an item of a kind comes."""
    async with asyncio.timeout(5):
        while True:
            frame = await socket.recv(decode=False)
            for item in parser.parse(frame, NOW):  # type: ignore[attr-defined]
                if isinstance(item, kind):
                    return item


@pytest.mark.parametrize("name", registry.VENUES)
async def test_subscribe_trade_ping_and_cut(name: str) -> None:
    """Requests are confirmed, a trade comes, our ping is answered, a cut socket is noticed."""
    sample, venue = load(name), registry.venue(name)
    async with scripted(sample) as world:
        wanted = [Subscription("trades", sample.instruments[0].symbol)]
        parser = sample.parser()
        async with websockets.connect(venue.ws_url(wanted, world.ws), ping_interval=None) as socket:
            for frame in parser.subscribe_frames(wanted):
                await socket.send(frame.decode())
            if venue.confirms:
                confirmed = await received(socket, parser, Subscribed)
                assert isinstance(confirmed, Subscribed)
            ping = parser.keepalive_frame()
            if ping is not None and sample.pong is not None:
                await socket.send(ping.decode())
                await received(socket, parser, VenueHeartbeat)
            await asyncio.wait_for(world.asked.wait(), 5)
            await world.send(sample.trade_frame())
            trade = await received(socket, parser, Trade)
            assert isinstance(trade, Trade) and trade.symbol == wanted[0].symbol
            await world.drop()
            with pytest.raises(websockets.ConnectionClosedError):
                await socket.recv()
        assert world.connections == 1


@pytest.mark.parametrize("name", registry.VENUES)
async def test_rest(name: str) -> None:
    """The listing and a page of trades come over HTTP."""
    sample, venue = load(name), registry.venue(name)
    numbers = range(1024, 1024 * 6, 1024) if name != "gmo" else range(TIME - 5000, TIME, 1000)
    async with scripted(sample) as world, aiohttp.ClientSession() as session:
        world.rows = [Row(number, TIME // 1000) for number in numbers]
        first = sample.instruments[0]

        async def get(url: str) -> bytes:
            async with session.get(url) as answer:
                answer.raise_for_status()
                return await answer.read()

        body = await get(venue.instruments_request([first.symbol], world.rest))
        assert venue.parse_instruments(body, [first.symbol]) == [first]
        wanted = Wanted(numbers[0], None, TIME - 1_000_000)
        body = await get(venue.trades_request(first, wanted, world.rest))
        page = venue.parse_trades(body, first, time.time_ns() // 1000, "rest")
        assert [one.trade_seq for one in page if isinstance(one, Trade)][-1] >= numbers[0]
        world.rest_status = 429
        with pytest.raises(aiohttp.ClientResponseError):
            await get(venue.trades_request(first, wanted, world.rest))
        assert len(world.rest_calls) == 3
