"""What a running feed carries is changed a symbol at a time; the others see nothing of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigurationError
from connectors.exchanges.binance import Binance
from connectors.feed.control import Change, ask
from connectors.settings import Settings
from tests.connectors.feed.running import Json, running_feed, until
from tests.connectors.feed.scripted import ScriptedBinance
from tests.connectors.simulator.harness import exchange as local_exchange

pytestmark = pytest.mark.integration


async def change(settings: Settings, method: str, *symbols: str) -> Any:
    """What the running feed answers to a change."""
    body = Change(list(symbols)) if symbols else None
    return await asyncio.to_thread(ask, settings, "binance", method, body)


def breaks(records: list[Json]) -> list[str]:
    """Symbols of book updates that do not continue the one before."""
    last: dict[str, int] = {}
    found = []
    for one in records:
        if one["event_type"] != "book":
            continue
        if not one["is_snapshot"] and one["prev_sequence"] != last.get(one["symbol"]):
            found.append(one["symbol"])
        last[one["symbol"]] = one["sequence"]
    return found


async def test_a_symbol_comes_and_goes_while_the_others_flow(
    bootstrap: str, tmp_path: Path
) -> None:
    """By the local exchange's ledger no trade is lost or doubled, one connection does it all, and
    what was traded while the symbol was away is brought by REST."""
    async with local_exchange(tmp_path / "ledger", rate=80.0, ports={"binance": 0}) as here:
        address = here.addresses["binance"]
        async with running_feed(
            ScriptedBinance(),
            bootstrap,
            tmp_path,
            channels="trades,books",
            binance_ws_url=address["ws"],
            binance_rest_url=address["rest"],
            metrics_port=0,
        ) as feed:
            await feed.live()
            await until(lambda: feed.published > 50)
            added = await change(feed.settings, "POST", "SOL-USDT", "BTC-USTD", "ETH-USDT")
            assert added["done"] == {"SOL-USDT": "live"}
            assert "did you mean BTCUSDT?" in added["errors"]["BTC-USTD"]
            assert "subscribed already" in added["errors"]["ETH-USDT"]
            state = feed.feed.state
            assert state is not None
            await until(lambda: state.streams["SOL-USDT"].trades > 20)
            gone = await change(feed.settings, "DELETE", "BTC-USDT")
            assert gone["done"] == {"BTC-USDT": "removed: books, trades"}
            away = state.streams["BTC-USDT"]
            count, seen = away.trades, feed.published
            await until(lambda: feed.published > seen + 60)
            assert away.trades == count
            listed = await change(feed.settings, "GET")
            assert [row["symbol"] for row in listed["subscriptions"]] == ["ETH-USDT", "SOL-USDT"]
            assert all(row["live"] for row in listed["subscriptions"])
            assert (await change(feed.settings, "POST", "BTC-USDT"))["done"] == {"BTC-USDT": "live"}
            await until(lambda: away.trades > count + 60)
            here.engine.clock.paused = True
            await asyncio.sleep(0.3)
        made = [(one["symbol"], one["trade_seq"]) for one in here.ledger() if one["t"] == "trade"]
    assert feed.stats.reconnects == 0 and feed.stats.gaps == 0 and feed.stats.filled > 0
    trades = feed.trades()
    found = [(one["symbol"], one["trade_seq"]) for one in trades]
    assert len(found) == len(set(found)), "published twice"
    begin = {symbol: min(seq for name, seq in found if name == symbol) for symbol, _ in found}
    assert set(found) == {one for one in made if one[1] >= begin.get(one[0], one[1] + 1)}
    assert len({one["source"] for one in trades if "rest" not in one["source"]}) == 1
    assert breaks([record.json for record in feed.read("books")]) == []
    assert [one["symbol"] for one in feed.statuses("unsubscribed")] == ["BTC-USDT"] * 2
    assert not list((tmp_path / "control").iterdir()), "the port is told while it runs only"


async def test_a_symbol_beyond_the_venues_limit_gets_a_connection_and_takes_it_along(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """The live connection stays as it is; the new one ends with its symbol."""

    class Narrow(Binance):
        limits = Binance.limits._replace(subscriptions=2)

    exchange.listed.append("SOLUSDT")
    async with running_feed(exchange, bootstrap, tmp_path, venue=Narrow(), metrics_port=0) as feed:
        await feed.live()
        first = exchange.sockets[0]
        assert (await change(feed.settings, "POST", "SOL-USDT"))["done"] == {"SOL-USDT": "live"}
        assert exchange.connections == 2 and feed.stats.connected == 1
        await exchange.send(exchange.trade("SOLUSDT", 1), exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.published == 2)
        await change(feed.settings, "DELETE", "SOL-USDT")
        await until(lambda: exchange.sockets == [first])
        assert feed.stats.connected == 1
        with pytest.raises(ConfigurationError, match="GET, POST or DELETE"):
            await asyncio.to_thread(ask, feed.settings, "binance", "PUT", Change(["X"]))
    assert feed.stats.reconnects == 0


@pytest.mark.parametrize("listed", [False, True], ids=["delisted", "rejected"])
async def test_a_refused_symbol_ends_alone(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path, listed: bool
) -> None:
    """Refused when its connection comes back, among others of one request: all others go on."""
    exchange.listed += ["SOLUSDT", "XRPUSDT"]
    names = "BTC-USDT,ETH-USDT,SOL-USDT,XRP-USDT"
    async with running_feed(exchange, bootstrap, tmp_path, symbols=names) as feed:
        await feed.live()
        await exchange.send(exchange.trade("ETHUSDT", 1), exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.published == 2)
        exchange.refused.add("SOLUSDT")
        if not listed:
            exchange.listed.remove("SOLUSDT")
        await exchange.drop()
        await until(lambda: exchange.connections == 2)
        state = feed.feed.state
        assert state is not None
        await until(lambda: len(state.subscriptions) == 3, what="the symbol has ended")
        await feed.live(2)
        await until(lambda: len(exchange.sockets) == 1)
        for native in ("BTCUSDT", "ETHUSDT", "XRPUSDT"):
            await exchange.send(exchange.trade(native, 2))
        await until(lambda: feed.published == 5)
        assert exchange.connections == 2, "the others kept their connection"
    (ended,) = feed.statuses("unsubscribed")
    assert ended["symbol"] == "SOL-USDT" and ended["channel"] == "trades"
    assert ended["cause"].startswith("rejected: 2 " if listed else "delisted: 2 ")
    assert not feed.statuses("gap")


async def test_a_symbol_that_is_delisted_without_a_word_ends_alone(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence asks the listing: one that is listed is only stale."""

    class Hasty(Binance):
        limits = Binance.limits._replace(stale={"trades": 0.3})

    monkeypatch.setattr("connectors.feed.refusals.LISTING_LOOK", 0.05)
    async with running_feed(exchange, bootstrap, tmp_path, venue=Hasty()) as feed:
        await feed.live()
        state = feed.feed.state
        assert state is not None
        exchange.listed.remove("ETHUSDT")
        await until(lambda: len(state.subscriptions) == 1, what="the symbol has ended")
        await until(lambda: ("trades", "BTC-USDT") in state.staleness.stale)
        await exchange.send(exchange.trade("ETHUSDT", 1), exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.published == 1)
        assert exchange.connections == 1
    (ended,) = feed.statuses("unsubscribed")
    assert ended["symbol"] == "ETH-USDT" and ended["cause"].startswith("delisted: silent")
    assert feed.ids("ETH-USDT") == []
