"""Whole runs: what clients receive is what the ledger says; time, seeds, waiting."""

import calendar
import json
import time
from pathlib import Path
from typing import Any

from connectors.simulator.simulator import Settings, build
from tests.connectors.simulator.harness import START_US, exchange, sent_ids, until

BOTH = {"binance": 1, "coinbase": 1}


def per_symbol(lines: list[dict[str, Any]], venue: str) -> dict[str, list[tuple[Any, ...]]]:
    """The trades made, as the ledger tells them."""
    made: dict[str, list[tuple[Any, ...]]] = {}
    for line in lines:
        if line["t"] == "trade" and line["exchange"] == venue:
            row = (line["trade_seq"], line["price"], line["size"], line["side"], line["ts_event"])
            made.setdefault(line["native_symbol"], []).append(row)
    return made


def micros(text: str) -> int:
    """µs of Coinbase's time text, from the digits alone."""
    fraction = text.rstrip("Z").partition(".")[2].ljust(6, "0")
    whole = time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(whole) * 1_000_000 + int(fraction)


async def test_clients_receive_exactly_what_the_ledger_says(tmp_path: Path) -> None:
    """Id by id in order, and each with the price, size, side and time of the ledger."""
    async with exchange(
        tmp_path / "ledger", symbols=8, rate=200.0, speed=40.0, trades=8000, waiting_for=BOTH
    ) as here:
        symbols = [one.instrument for one in here.engine.venues["binance"].market.symbols]  # type: ignore[attr-defined]
        bases = [one.base for one in symbols]
        binance = await here.binance(*(f"{base.lower()}usdt@trade" for base in bases))
        coinbase = await here.coinbase("market_trades", *(f"{base}-USD" for base in bases))
        await here.finished()
        lines = here.ledger()
        got: dict[str, list[tuple[Any, ...]]] = {}
        for one in binance.binance_trades():
            side = "sell" if one["m"] else "buy"
            row = (one["t"], one["p"], one["q"], side, one["T"] * 1000)
            got.setdefault(one["s"], []).append(row)
        assert got == per_symbol(lines, "binance")
        got = {}
        for one in coinbase.coinbase_trades():
            side = "buy" if one["side"] == "SELL" else "sell"
            row = (int(one["trade_id"]), one["price"], one["size"], side, micros(one["time"]))
            got.setdefault(one["product_id"], []).append(row)
        assert got == per_symbol(lines, "coinbase")
        made = sum(line["t"] == "trade" for line in lines)
        assert 8000 <= made <= 8010
        for venue in BOTH:
            symbols_sent: dict[str, list[int]] = {}
            for line in lines:
                if line["t"] == "sent" and line["exchange"] == venue:
                    assert line["via"] == "ws" and line["conn"] == f"{venue}-1"
                    symbols_sent.setdefault(line["symbol"], []).extend(line["ids"])
            for ids in symbols_sent.values():
                assert sorted(ids) == list(range(min(ids), max(ids) + 1))
            assert sum(map(len, symbols_sent.values())) == here.engine.venues[venue].trades


async def test_same_seed_gives_same_trades_whatever_the_speed(tmp_path: Path) -> None:
    """Two runs from one start at different speeds make the same market."""
    made = []
    for speed in (20.0, 200.0):
        ledger = tmp_path / f"{speed}"
        async with exchange(ledger, rate=50.0, speed=speed, trades=2000) as here:
            await here.finished()
            lines = here.ledger()
            made.append({venue: per_symbol(lines, venue) for venue in BOTH})
    assert made[0] == made[1]


async def test_catch_up_reaches_real_time() -> None:
    """Two minutes at 200 times take under a second; then the clock is the wall clock."""
    settings: dict[str, Any] = {"start_us": None, "since_seconds": 120.0, "catch_up": 200.0}
    async with exchange(**settings) as here:
        clock = here.engine.clock
        assert time.time() - clock.start_us / 1e6 > 119
        client = await here.binance("btcusdt@trade")
        await until(lambda: clock.caught_up, "real time", 10)
        await until(lambda: abs(clock.now_us / 1e6 - time.time()) < 0.05, "the wall clock")
        assert clock.rate == 1.0
        seen = len(client.binance_trades())
        await until(lambda: len(client.binance_trades()) > seen, "a live trade")
        last = client.binance_trades()[-1]
        assert abs(last["T"] / 1000 - time.time()) < 2.0


async def test_clock_waits_for_subscribers() -> None:
    """Time stands until each venue has its subscribers; a run without a past starts then."""
    async with exchange(start_us=None, waiting_for=BOTH) as here:
        client = await here.binance("btcusdt@trade", "btcusdt@bookTicker")
        start = here.engine.clock.start_us
        assert here.engine.waiting and here.engine.state()["speed"] == 0.0
        await here.coinbase("ticker", "BTC-USD")
        await until(lambda: time.time() * 1e6 - start > 700_000, "some time")
        assert here.engine.waiting and here.engine.clock.now_us == start
        await here.coinbase("market_trades", "BTC-USD")
        await until(lambda: not here.engine.waiting, "release")
        assert abs(here.engine.clock.start_us / 1e6 - time.time()) < 0.3
        await until(lambda: client.binance_trades(), "a trade")


async def test_skew_moves_a_venues_times() -> None:
    """A venue whose clock is ahead stamps its trades so; the other does not."""
    async with exchange(skew_seconds={"binance": 30.0}, rate=100.0) as here:
        await until(lambda: all(v.trades > 5 for v in here.engine.venues.values()), "trades")
        ahead = {
            name: venue.market.symbols[0].history.last(1)[0][1] - here.engine.clock.now_us  # type: ignore[attr-defined]
            for name, venue in here.engine.venues.items()
        }
        assert 28_000_000 < ahead["binance"] <= 30_050_000
        assert ahead["coinbase"] <= 50_000
        _, body = await here.get("binance", "/api/v3/time")
        assert body["serverTime"] * 1000 - here.engine.clock.now_us > 29_000_000


def test_limit_of_trades_is_shared_by_the_venues() -> None:
    """7 trades over two venues: 4 and 3."""
    engine = build(Settings(trades=7, start_us=START_US))
    limits = [venue.market.settings.limit for venue in engine.venues.values()]  # type: ignore[attr-defined]
    assert limits == [4, 3]


async def test_ledger_ends_with_the_number_of_trades(tmp_path: Path) -> None:
    """The end line is the last one and counts the trades."""
    ledger = tmp_path / "ledger"
    async with exchange(ledger, rate=100.0, trades=50, speed=20.0) as here:
        await here.finished()
        assert sent_ids(here.ledger(), "binance") == []
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert lines[-1] == {"t": "end", "trades": sum(line["t"] == "trade" for line in lines)}
