"""Several connections of one feed: renewals without a pause, copies, shards."""

import asyncio
from pathlib import Path

import pytest

from connectors.exchanges.binance import Binance
from tests.connectors.feed.running import running_feed, until
from tests.connectors.feed.scripted import ScriptedBinance

pytestmark = pytest.mark.integration


async def trade_on(exchange: ScriptedBinance, first: int, last: int) -> None:
    """One trade each 5 ms, on every open socket."""
    for number in range(first, last + 1):
        await exchange.send(exchange.trade("BTCUSDT", number))
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("planned_by", ["age", "venue"])
async def test_a_renewal_makes_the_new_connection_before_it_breaks_the_old(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path, planned_by: str
) -> None:
    """Nothing is missing, nothing comes from REST, nothing is held: the feed stays live."""
    settings = {"renew": 0.8} if planned_by == "age" else {}
    async with running_feed(exchange, bootstrap, tmp_path, **settings) as feed:
        await feed.live()
        state = feed.feed.state
        assert state is not None
        lost: list[bool] = []
        trading = asyncio.create_task(trade_on(exchange, 1, 500))
        if planned_by == "venue":
            await until(lambda: feed.published > 20)
            await exchange.send('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')
        while not trading.done():
            lost.append(not state.live)
            await asyncio.sleep(0.01)
        await until(lambda: feed.published == 500)
    assert feed.ids() == list(range(1, 501))
    assert feed.stats.reconnects >= 1 and feed.stats.duplicates > 0
    assert exchange.rest_calls == [] and not any(lost)
    kinds = [status["kind"] for status in feed.statuses()][:5]
    assert kinds == ["connected", "subscribed", "connected", "subscribed", "disconnected"]
    assert feed.statuses("disconnected")[0]["cause"].startswith("renewed: ")


async def test_a_new_connection_that_fails_leaves_the_old_one_alone(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """While the venue confirms nothing, the old connection goes on; then the renewal succeeds."""
    async with running_feed(exchange, bootstrap, tmp_path, renew=0.5, confirm_timeout=0.3) as feed:
        await feed.live()
        exchange.confirm = False
        await until(lambda: exchange.connections >= 3)
        assert feed.stats.connected == 1
        await trade_on(exchange, 1, 20)
        old = exchange.sockets[0]
        exchange.confirm = True
        await until(lambda: old.closed)
        assert feed.stats.connected == 1
        await trade_on(exchange, 21, 40)
        await until(lambda: feed.published == 40)
    assert sorted(feed.ids()) == list(range(1, 41))


async def test_two_connections_publish_each_trade_once_and_one_may_go(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """The loss of one of two is neither a hold nor a gap."""
    async with running_feed(exchange, bootstrap, tmp_path, connections=2) as feed:
        await feed.live()
        state = feed.feed.state
        assert state is not None
        await until(lambda: len(state.groups[0].live) == 2)
        await trade_on(exchange, 1, 50)
        await until(lambda: feed.stats.duplicates >= 50)
        await exchange.sockets[0].close()
        await until(lambda: exchange.connections == 3)
        assert state.live
        await trade_on(exchange, 51, 100)
        await until(lambda: feed.published == 100)
    assert feed.ids() == list(range(1, 101))
    assert exchange.rest_calls == []


async def test_subscriptions_beyond_the_venues_limit_go_over_several_connections(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """One symbol per connection here; the feed is live when all are."""

    class Narrow(Binance):
        limits = Binance.limits._replace(subscriptions=1)

    async with running_feed(exchange, bootstrap, tmp_path, venue=Narrow()) as feed:
        await feed.live()
        assert exchange.connections == 2
        await exchange.sockets[0].send_str(exchange.trade("BTCUSDT", 1))
        await exchange.sockets[1].send_str(exchange.trade("ETHUSDT", 1))
        await until(lambda: feed.published == 2)
    assert feed.stats.reconnects == 0
