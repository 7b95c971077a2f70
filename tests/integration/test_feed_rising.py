"""A venue whose trade ids leave numbers out: only REST can tell whether something is missing."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from connectors.events import Trade
from connectors.exchanges.base import DeadLetter, Instrument, Wanted
from connectors.exchanges.binance import Binance
from connectors.feed.supervisor import Feed
from connectors.settings import load_settings
from tests.connectors.feed.running import running_feed, until
from tests.connectors.feed.scripted import DAY, ScriptedBinance, scripted_binance

pytestmark = pytest.mark.integration


class Rising(Binance):
    """Binance's protocol, but ids only rise; subscriptions are not confirmed; pings are wanted."""

    numbering = "rising"
    confirms = False
    channels = frozenset({"trades", "candles"})

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """From the last known trade on, and the time that the feed knows of it."""
        url = super().trades_request(instrument, Wanted(wanted.from_id - 1, None), rest_base)
        return f"{url}&startTime={wanted.since // 1000}"

    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """One page is all there is."""
        return None


@pytest.fixture
async def exchange() -> AsyncIterator[ScriptedBinance]:
    """An exchange of this test alone, which confirms nothing."""
    async with scripted_binance() as scripted:
        scripted.confirm = False
        yield scripted


async def test_an_answer_back_to_the_last_known_trade_shows_that_nothing_is_missing(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """After a cut and after a restart the trades between come first, no gap is told."""
    prefix = ""
    for start in (10, 100):
        async with running_feed(
            exchange, bootstrap, tmp_path, venue=Rising(), topic_prefix=prefix
        ) as feed:
            prefix = feed.settings.topic_prefix
            await feed.live()
            await exchange.send(*exchange.make("BTCUSDT", [start, start + 20]))
            await until(lambda: feed.published >= 2)
            await exchange.drop()
            exchange.make("BTCUSDT", [start + 30, start + 37])
            await feed.live(2)
            await until(lambda: feed.published >= 4)
            await exchange.send(*exchange.make("BTCUSDT", [start + 40]))
            await until(lambda: feed.published >= 5)
        exchange.make("BTCUSDT", [60, 71])
    assert feed.ids() == [10, 30, 40, 47, 50, 60, 71, 100, 120, 130, 137, 140]
    assert feed.statuses("gap") == []
    assert exchange.since[-1] == DAY + 120


async def test_an_answer_that_begins_later_leaves_a_gap_with_ids_and_times(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """The venue has forgotten the last known trade: what lies before its oldest may be missing."""
    async with running_feed(exchange, bootstrap, tmp_path, venue=Rising()) as feed:
        await feed.live()
        await exchange.send(*exchange.make("BTCUSDT", [10, 20]))
        await until(lambda: feed.published == 2)
        await exchange.drop()
        exchange.trades["BTCUSDT"].clear()
        exchange.make("BTCUSDT", [50, 60])
        await feed.live(2)
        await until(lambda: feed.published == 4)
    assert feed.ids() == [10, 20, 50, 60]
    (gap,) = feed.statuses("gap")
    assert (gap["symbol"], gap["from_id"], gap["to_id"]) == ("BTC-USDT", 21, 49)
    assert "2026-01-01T00:00:00.020000Z and 2026-01-01T00:00:00.050000Z" in gap["cause"]


async def test_candles_are_published_and_move_their_own_time(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """A bar of the venue goes to market.candles, with heartbeats behind it."""
    candle = (
        f'{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{DAY},"s":"BTCUSDT","k":{{"t":'
        f'{DAY},"T":{DAY + 59999},"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"1","c":"2","h":"2",'
        '"l":"1","v":"10","n":2,"x":false,"q":"1","V":"5","Q":"0.5","B":"0"}}}'
    )
    async with running_feed(
        exchange, bootstrap, tmp_path, venue=Rising(), channels="candles"
    ) as feed:
        await feed.live()
        await exchange.send(candle)
        await until(lambda: feed.stats.heartbeats >= 1)
    events = [record.json for record in feed.read("candles")]
    assert [event["event_type"] for event in events[:2]] == ["candle", "heartbeat"]
    assert (events[0]["interval"], events[0]["close"]) == ("1m", "2")
    assert events[1]["ts_event"] == DAY * 1000 - 2_000_000


def test_a_channel_that_the_venue_lacks_is_refused() -> None:
    """The error names the channel and what there is."""
    with pytest.raises(ConfigurationError, match=r"no quotes; it has candles, trades"):
        Feed(Rising(), ["BTC-USDT"], ["trades", "quotes"], load_settings())
