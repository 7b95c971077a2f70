"""Which subscriptions share a connection, and what is held of them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from connectors.exchanges import registry
from connectors.exchanges.base import Instrument, Subscription
from connectors.feed.group import Group, Refusal, split
from tests.connectors.feed.memory_feed import MemoryFeed


def one_address(_: Subscription) -> str:
    """All that most venues have."""
    return ""


def test_the_channels_of_a_symbol_stay_together() -> None:
    """Within the venue's limit; what does not fit begins the next connection."""
    wanted = [Subscription(c, s) for c in ("trades", "quotes") for s in ("A-B", "C-D", "E-F")]
    parts = split(wanted, 5, one_address)
    assert [[one.symbol for one in part] for part in parts] == [["A-B"] * 2 + ["C-D"] * 2,
                                                                ["E-F"] * 2]  # fmt: skip


def test_okx_serves_candles_at_another_address() -> None:
    """They get connections of their own; each part has one address."""
    venue = registry.venue("okx")
    symbols = [f"A{number}-USDT" for number in range(5)]
    wanted = [Subscription(c, s) for s in symbols for c in ("trades", "candles", "books")]
    parts = split(wanted, 6, lambda one: venue.ws_url([one], "wss://okx"))
    urls = [venue.ws_url(part, "wss://okx") for part in parts]
    assert sorted(urls) == ["wss://okx/ws/v5/business"] + ["wss://okx/ws/v5/public"] * 2
    assert sorted(one for part in parts for one in part) == sorted(wanted)
    assert [len(part) for part in parts if part[0].channel == "candles"] == [5]


class Connected:
    """An open connection that confirms when it is told to."""

    source = "x-1"

    def __init__(self) -> None:
        self.asked: list[Subscription] = []
        self.ended: list[Subscription] = []
        self.confirm = asyncio.Event()

    async def subscribe(
        self, subscriptions: Sequence[Subscription], instruments: Sequence[Instrument] = ()
    ) -> bool:
        """As `Member.subscribe`."""
        await self.ask(subscriptions)
        await self.confirm.wait()
        return True

    async def ask(self, subscriptions: Sequence[Subscription]) -> None:
        """As `Member.ask`."""
        self.asked += subscriptions

    async def unsubscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """As `Member.unsubscribe`."""
        self.ended += subscriptions


async def live(feed: MemoryFeed) -> tuple[Group, Connected]:
    """A group of all that a feed wants, and its live connection."""
    group, member = Group(feed.state, feed.state.subscriptions, lambda _: None), Connected()
    feed.state.groups = [group]
    group.join(member)
    await group.go_live(member)
    return group, member


async def test_an_added_symbol_is_held_until_it_is_confirmed_and_the_others_flow(
    tmp_path: Path,
) -> None:
    """Its trades come out in order of time; the old symbol was never held."""
    feed = MemoryFeed(tmp_path, "binance", ("trades", "BTC-USDT"))
    group, member = await live(feed)
    new = [Subscription("trades", "SOL-USDT")]
    feed.state.add(feed.instrument("SOL-USDT"), new)
    adding = asyncio.create_task(group.add(new, feed.instrument("SOL-USDT")))
    await asyncio.sleep(0.01)
    assert feed.state.live and not feed.state.streams["BTC-USDT"].holding
    assert feed.state.streams["SOL-USDT"].holding and member.asked == new
    feed.state.publish_trade(feed.trade("BTC-USDT", 1))
    for number in (3, 2):
        group.hold(feed.trade("SOL-USDT", number))
    await asyncio.sleep(0.01)
    assert feed.published("BTC-USDT") == [1] and feed.published("SOL-USDT") == []
    member.confirm.set()
    await adding
    assert feed.published("SOL-USDT") == [2, 3]
    assert not feed.state.streams["SOL-USDT"].holding


async def test_nothing_of_a_dropped_symbol_is_published_until_it_is_added_again(
    tmp_path: Path,
) -> None:
    """What was missing is told; what is on its way, held or brought by REST, is left out."""
    feed = MemoryFeed(tmp_path, "binance", ("trades", "BTC-USDT"), ("trades", "ETH-USDT"))
    group, member = await live(feed)
    state, gone = feed.state, [Subscription("trades", "BTC-USDT")]
    for number in (1, 4):
        state.publish_trade(feed.trade("BTC-USDT", number))
    state.drop(gone)
    await group.remove(gone)
    group.hold(feed.trade("BTC-USDT", 5))
    state.publish_trade(feed.trade("BTC-USDT", 2))
    assert feed.published("BTC-USDT") == [1, 4] and member.ended == gone
    assert feed.statuses() == [("gap", "BTC-USDT")]
    assert state.settled_ids() == {"BTC-USDT": 4}
    group.leave(member)
    assert not state.streams["BTC-USDT"].held and not state.live
    group.join(member)
    await group.go_live(member)
    assert state.streams["BTC-USDT"].holding and not state.streams["ETH-USDT"].holding
    state.add(feed.instrument("BTC-USDT"), gone)
    group.hold(feed.trade("BTC-USDT", 5))
    member.confirm.set()
    await group.add(gone, feed.instrument("BTC-USDT"))
    assert feed.published("BTC-USDT") == [1, 4, 5]


async def test_a_lost_connection_holds_only_the_trades_that_it_carried(tmp_path: Path) -> None:
    """OKX's candles have a connection of their own: its end stops neither a trade nor its beats."""
    feed = MemoryFeed(tmp_path, "okx", ("trades", "BTC-USDT"), ("candles", "BTC-USDT"))
    parts = [[one] for one in feed.state.subscriptions]
    groups = [Group(feed.state, part, lambda _: None) for part in parts]
    feed.state.groups = list(groups)
    members = [Connected(), Connected()]
    for group, member in zip(groups, members, strict=True):
        group.join(member)
        await group.go_live(member)
    assert feed.state.live
    groups[1].leave(members[1])
    assert not feed.state.live and not feed.state.streams["BTC-USDT"].holding
    assert feed.state.quiet("candles") and not feed.state.quiet("trades")
    groups[0].leave(members[0])
    assert feed.state.streams["BTC-USDT"].holding


def test_a_refusal_of_what_is_being_added_is_the_adders(tmp_path: Path) -> None:
    """All else goes to whoever judges refusals, and stays doubtful."""
    feed = MemoryFeed(tmp_path, "okx", ("trades", "BTC-USDT"), ("trades", "ETH-USDT"))
    told: list[Refusal] = []
    group, member = Group(feed.state, feed.state.subscriptions, told.append), Connected()
    btc, eth = feed.state.subscriptions
    group.joining[eth] = ""
    assert group.refuse(member, [btc, eth], "no such symbol") == [btc]
    assert told == [Refusal(member, [btc], "no such symbol")]
    assert group.joining == {eth: "no such symbol"} and group.settled.is_set()
