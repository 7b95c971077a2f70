"""A feed between a scripted exchange and a real broker: every trade once, in a good order."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from tests.connectors.feed.running import running_feed, until
from tests.connectors.feed.scripted import DAY, ScriptedBinance

pytestmark = pytest.mark.integration


async def test_trades_become_keyed_records_stamped_with_event_time(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """Key EXCHANGE|SYMBOL, record timestamp = event time in ms, value as the venue wrote it."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 41))
        await until(lambda: feed.published == 1)
    (record,) = [r for r in feed.read("trades") if r.json["event_type"] == "trade"]
    assert (record.key, record.timestamp) == (b"binance|BTC-USDT", DAY + 41)
    assert (record.json["price"], record.json["size"], record.json["side"]) == (
        "106.5",
        "0.25",
        "buy",
    )
    assert feed.left == 0


async def test_what_a_broken_connection_missed_is_filled_by_rest_before_going_live(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """After a cut the missing ids come first, sorted by time over all symbols, none twice."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(*exchange.make("BTCUSDT", range(1, 6)))
        await exchange.send(*exchange.make("ETHUSDT", range(1, 4)))
        await until(lambda: feed.published == 8)
        exchange.rest_gate.clear()
        await exchange.drop()
        missed = exchange.make("BTCUSDT", range(6, 1500)) + exchange.make("ETHUSDT", range(4, 9))
        assert missed
        await exchange.subscribed.wait()
        await exchange.send(*exchange.make("BTCUSDT", range(1500, 1503)))
        exchange.rest_gate.set()
        await feed.live(2)
        await exchange.send(*exchange.make("BTCUSDT", range(1503, 1505)))
        await until(lambda: feed.published == 1504 + 8)
    assert feed.ids() == list(range(1, 1505))
    assert feed.ids("ETH-USDT") == list(range(1, 9))
    refilled = [t for t in feed.trades()[8:] if t["trade_seq"] < 1503]
    order = [(t["ts_event"], t["trade_seq"]) for t in refilled]
    assert order == sorted(order)
    assert feed.statuses("gap") == []
    kinds = [status["kind"] for status in feed.statuses()]
    assert kinds == ["connected", "subscribed", "disconnected"] * 2
    assert feed.statuses("subscribed")[1]["seconds"] > 0


async def test_duplicates_are_removed_and_counted(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """A trade that is sent again, at once or after a reconnect, is published once."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        frames = exchange.make("BTCUSDT", [1, 2, 3])
        await exchange.send(*frames, *frames)
        await until(lambda: feed.published == 3 and feed.stats.duplicates == 3)
        await exchange.drop()
        exchange.before_confirm = frames
        await feed.live(2)
        await until(lambda: feed.stats.duplicates == 6)
    assert feed.ids() == [1, 2, 3]


async def test_trades_that_arrive_before_the_confirmation_are_sorted_on_the_first_connect(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """Old trades of a fresh connection are new: published, by time; disorder below too."""
    exchange.before_confirm = [
        exchange.trade("BTCUSDT", 7, DAY + 70),
        exchange.trade("ETHUSDT", 3, DAY + 30),
        exchange.trade("BTCUSDT", 5, DAY + 50),
    ]
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 6), exchange.trade("BTCUSDT", 4))
        await until(lambda: feed.published == 5)
    assert [(t["symbol"], t["trade_seq"]) for t in feed.trades()] == [
        ("ETH-USDT", 3),
        ("BTC-USDT", 5),
        ("BTC-USDT", 7),
        ("BTC-USDT", 6),
        ("BTC-USDT", 4),
    ]


async def test_a_skipped_id_is_asked_for_when_it_is_overdue_in_venue_time(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """Live: a hole that stays open for 2.5 s of venue time is filled by REST."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        first, _lost, third = exchange.make("BTCUSDT", [1, 2, 3])
        await exchange.send(first, third)
        await until(lambda: feed.published == 2)
        assert exchange.rest_calls == []
        await exchange.send(exchange.trade("BTCUSDT", 4, DAY + 2_504))
        await until(lambda: feed.published == 4)
    assert sorted(feed.ids()) == [1, 2, 3, 4]
    assert feed.stats.filled == 1
    assert feed.statuses("gap") == []


async def test_what_nobody_has_is_told_as_a_gap_once(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """Ids that REST does not know end as a gap with both ends; later ones go on."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 1), exchange.trade("BTCUSDT", 5))
        for step in range(1, 6):
            await exchange.send(exchange.trade("BTCUSDT", 5 + step, DAY + 3_000 * step))
            await until(lambda step=step: feed.published == 2 + step)
            await asyncio.sleep(0.15)
        await until(lambda: feed.stats.gaps == 1)
    (gap,) = feed.statuses("gap")
    assert (gap["symbol"], gap["channel"], gap["from_id"], gap["to_id"]) == (
        "BTC-USDT",
        "trades",
        2,
        4,
    )
    assert feed.stats.gap_trades == 3


async def test_more_missing_than_max_fill_is_told_as_a_gap(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """The fill is bounded; the rest of the range is named."""
    async with running_feed(exchange, bootstrap, tmp_path, max_fill=1000) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.published == 1)
        await exchange.drop()
        exchange.make("BTCUSDT", range(2, 2500))
        exchange.before_confirm = [exchange.trade("BTCUSDT", 2500)]
        await feed.live(2)
    assert feed.ids() == [*range(1, 1002), 2500]
    (gap,) = feed.statuses("gap")
    assert (gap["from_id"], gap["to_id"]) == (1002, 2499)
    assert "max_fill" in gap["cause"]


async def test_while_rest_is_down_the_feed_goes_on_and_fills_later(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """The range since the last id is an open gap until REST answers, then it is recovered."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.published == 1)
        exchange.rest_status = 503
        await exchange.drop()
        exchange.make("BTCUSDT", [2, 3])
        await feed.live(2)
        exchange.rest_status = 200
        await exchange.send(exchange.trade("BTCUSDT", 4), exchange.trade("BTCUSDT", 5, DAY + 9_000))
        await until(lambda: feed.published == 5)
        await until(lambda: feed.feed.state and not feed.feed.state.streams["BTC-USDT"].open_gap)
    assert sorted(feed.ids()) == [1, 2, 3, 4, 5]
    (gap,) = feed.statuses("gap")
    assert (gap["from_id"], gap["to_id"]) == (2, None)
    (recovered,) = feed.statuses("recovered")
    assert (recovered["from_id"], recovered["to_id"]) == (2, 5)


async def test_an_error_frame_ends_the_connection_and_the_next_one_works(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """The venue's words are in the status; the feed tries again."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send('{"code":3,"msg":"Invalid JSON: expected value at line 1"}')
        await feed.live(2)
    assert "Invalid JSON" in feed.statuses("disconnected")[0]["cause"]


async def test_a_subscription_that_is_never_confirmed_is_tried_again(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """Silence after subscribing is an error, not a wait without end."""
    exchange.confirm = False
    async with running_feed(exchange, bootstrap, tmp_path, confirm_timeout=0.3) as feed:
        await until(lambda: exchange.connections >= 2)
        exchange.confirm = True
        await until(lambda: feed.stats.connected)
    assert "not confirmed" in feed.statuses("disconnected")[0]["cause"]


async def test_a_connection_without_any_frame_is_stale_and_replaced(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """An open but dead socket is found out although pongs come."""
    async with running_feed(exchange, bootstrap, tmp_path, silence=0.5) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 1))
        await feed.live(2)
    assert feed.statuses("stale")[0]["cause"].startswith("venue: no frame for 0.")
    assert "FeedStale" in feed.statuses("disconnected")[0]["cause"]


async def test_a_connection_of_a_thin_symbol_is_not_replaced_for_its_usual_silence(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """A pause of 0.7 s was seen, so 1.6 s are quiet, not dead: pings are answered."""
    async with running_feed(exchange, bootstrap, tmp_path, silence=1.0, symbols="BTC-USDT") as feed:
        await feed.live()
        for number in (1, 2):
            await exchange.send(exchange.trade("BTCUSDT", number))
            await asyncio.sleep(0.7 if number == 1 else 1.6)
        assert exchange.connections == 1
        await feed.live(2)
    assert [s["cause"].split(":")[0] for s in feed.statuses("stale")] == ["venue"]


async def test_a_bad_frame_goes_to_the_dead_letters_with_its_bytes(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """Raw bytes, reason and origin are kept; a status tells it once for many."""
    bad = exchange.trade("BTCUSDT", 2).replace('"q":"0.25"', '"q":"0.123456789"')
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 1), bad, bad, '{"stream":"btcus')
        await until(lambda: sum(feed.stats.dead_letters.values()) == 3)
    letters = feed.read("dead-letters")
    assert letters[0].value == bad.encode()
    headers = dict(letters[0].headers)
    assert (headers["reason"], headers["exchange"]) == (b"size", b"binance")
    assert {"detail", "source", "ts_recv"} <= headers.keys()
    assert dict(letters[2].headers)["reason"] == b"malformed"
    assert [s["cause"].split(":")[0] for s in feed.statuses("dead_letter")] == ["size", "malformed"]


async def test_heartbeats_move_time_in_a_silent_market_and_carry_the_last_ids(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """Event time runs on from the last trade, 2 s behind, by venue time."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(*exchange.make("BTCUSDT", [1, 2, 3]))
        await until(lambda: feed.stats.heartbeats >= 4)
    beats = feed.heartbeats()
    times = [beat["ts_event"] for beat in beats[:4]]
    last = (DAY + 3) * 1000
    assert times[0] == last - 2_000_000
    assert all(800_000 < b - a < 1_500_000 for a, b in pairwise(times))
    assert beats[0]["last_trade_ids"] == {"BTC-USDT": 3}
    assert [beat["last_trade_ids"] for beat in beats[1:4]] == [None] * 3
    assert {r.key for r in feed.read("trades")} == {b"binance|*", b"binance|BTC-USDT"}


async def test_heartbeats_are_silent_before_the_first_event_and_while_disconnected(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """A feed that is not healthy must let its partition go idle."""
    async with running_feed(exchange, bootstrap, tmp_path, confirm_timeout=30) as feed:
        await feed.live()
        await asyncio.sleep(1.3)
        assert feed.stats.heartbeats == 0
        await exchange.send(exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.stats.heartbeats > 0)
        exchange.confirm = False
        await exchange.drop()
        await until(lambda: exchange.connections == 2)
        before = feed.stats.heartbeats
        await asyncio.sleep(1.5)
        assert feed.stats.heartbeats == before


async def test_a_restarted_writer_neither_doubles_nor_loses(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """The tail of its own partition tells a new process what to ask for."""
    async with running_feed(exchange, bootstrap, tmp_path) as feed:
        await feed.live()
        frames = exchange.make("BTCUSDT", range(1, 11))
        await exchange.send(*[frame for n, frame in enumerate(frames) if n != 6])
        await until(lambda: feed.published == 9)
    exchange.make("BTCUSDT", range(11, 16))
    prefix = feed.settings.topic_prefix
    async with running_feed(exchange, bootstrap, tmp_path, topic_prefix=prefix) as again:
        await again.live()
        await exchange.send(*exchange.make("BTCUSDT", [15, 16]))
        await until(lambda: again.published == 7)
    assert sorted(again.ids()) == list(range(1, 17))


async def test_quotes_and_books_are_published_with_the_venues_numbers(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """All channels of a symbol share a connection, each has its topic."""
    async with running_feed(
        exchange,
        bootstrap,
        tmp_path,
        channels="trades,quotes,books",
        symbols="BTC-USDT",
    ) as feed:
        await feed.live()
        await exchange.send(
            '{"stream":"btcusdt@bookTicker","data":{"u":40,"s":"BTCUSDT","b":"68016.18",'
            '"B":"31.21","a":"68016.19","A":"40.66"}}',
            f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{DAY},'
            '"s":"BTCUSDT","U":141,"u":160,"b":[["68016.18","10"]],"a":[]}}',
        )
        await until(lambda: feed.feed.state and feed.feed.state.total_events() == 3)
    quotes = [r.json for r in feed.read("quotes") if r.json["event_type"] == "quote"]
    books = [r.json for r in feed.read("books") if r.json["event_type"] == "book"]
    assert [(q["bid_price"], q["ts_source"], q["sequence"]) for q in quotes] == [
        ("68016.18", "receipt", 40)
    ]
    assert [(b["is_snapshot"], b["prev_sequence"], b["sequence"]) for b in books] == [
        (True, -1, 150),
        (False, 150, 160),
    ]
    assert feed.stats.books_empty == 1
