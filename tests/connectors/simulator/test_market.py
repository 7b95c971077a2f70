"""The simulated market is seeded, consistent and shaped like a market."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest

from connectors.simulator.instruments import E8, listing
from connectors.simulator.market import Market, MarketSettings, Trade, symbol_rates

START_US = 1_780_000_000_000_000
MINUTE_US = 60_000_000


def settings(venue: str = "binance", **changes: object) -> MarketSettings:
    """Twenty symbols at 50 trades a second."""
    unit = 1000 if venue == "binance" else 1
    base = MarketSettings(venue, listing(venue, 20), 7, 50.0, START_US, unit)
    return replace(base, **changes)  # type: ignore[arg-type]


def run(market: Market, stops: Iterable[int]) -> list[tuple[str, Trade]]:
    """All trades up to the last stop, asked for in steps."""
    return [
        (arrival.symbol.instrument.symbol, trade)
        for stop in stops
        for arrival in market.until(START_US + stop)
        for trade in arrival.trades
    ]


@pytest.fixture(scope="module")
def period() -> list[tuple[str, Trade]]:
    """Twenty simulated minutes of Binance."""
    return run(Market(settings()), [20 * MINUTE_US])


@pytest.mark.parametrize("venue", ["binance", "coinbase"])
def test_same_seed_gives_same_trades_in_any_steps(venue: str) -> None:
    """The trades do not depend on how time passes."""
    at_once = run(Market(settings(venue)), [MINUTE_US])
    in_steps = run(Market(settings(venue)), [*range(7_001, MINUTE_US, 7_001), MINUTE_US])
    assert len(at_once) > 2000
    assert in_steps == at_once


def test_another_seed_gives_other_trades() -> None:
    """The seed matters."""
    assert run(Market(settings()), [MINUTE_US]) != run(Market(settings(seed=8)), [MINUTE_US])


def test_shift_moves_all_times_and_nothing_else() -> None:
    """A run that starts later is the same run."""
    market = Market(settings())
    market.shift(5_000_000)
    moved = run(market, [MINUTE_US + 5_000_000])
    plain = run(Market(settings()), [MINUTE_US])
    assert [(s, t._replace(time_us=t.time_us - 5_000_000)) for s, t in moved] == plain


def test_rate_is_kept(period: list[tuple[str, Trade]]) -> None:
    """Trades per second are what was asked for, within sampling."""
    assert len(period) == pytest.approx(50 * 1200, rel=0.05)


def test_time_is_ordered_and_ids_are_consecutive(period: list[tuple[str, Trade]]) -> None:
    """Over all symbols time never falls; per symbol each id follows the last."""
    times = [trade.time_us for _, trade in period]
    assert times == sorted(times)
    by_symbol = defaultdict(list)
    for symbol, trade in period:
        by_symbol[symbol].append(trade.trade_id)
    assert len(by_symbol) == 20
    for ids in by_symbol.values():
        assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_prices_and_sizes_fit_tick_and_lot(period: list[tuple[str, Trade]]) -> None:
    """Every price is a multiple of the tick, every size of the lot; Binance times are whole ms."""
    known = {one.symbol: one for one in listing("binance", 20)}
    for symbol, trade in period:
        assert trade.price > 0 and trade.price % known[symbol].tick == 0
        assert trade.size > 0 and trade.size % known[symbol].lot == 0
        assert trade.time_us % 1000 == 0


def test_some_symbols_are_thin(period: list[tuple[str, Trade]]) -> None:
    """Thin symbols have gaps of more than 30 s, so that sessions close; the busiest has none."""
    times = defaultdict(list)
    for symbol, trade in period:
        times[symbol].append(trade.time_us)
    widest = {
        symbol: max(b - a for a, b in pairwise(all_times)) for symbol, all_times in times.items()
    }
    assert sum(gap > 30_000_000 for gap in widest.values()) >= 2
    assert widest["BTC-USDT"] < 5_000_000


def test_there_is_something_to_alert_on(period: list[tuple[str, Trade]]) -> None:
    """Large trades, moves of more than 1 % in a minute, several trades within one millisecond."""
    assert sum(trade.price * trade.size / E8 / E8 >= 100_000 for _, trade in period) > 10
    bars: dict[tuple[str, int], list[int]] = defaultdict(list)
    instants: dict[tuple[str, int], int] = defaultdict(int)
    for symbol, trade in period:
        bars[symbol, trade.time_us // MINUTE_US].append(trade.price)
        instants[symbol, trade.time_us] += 1
    assert sum(abs(bar[-1] / bar[0] - 1) > 0.01 for bar in bars.values()) > 5
    assert max(instants.values()) >= 4


def test_limit_ends_the_market() -> None:
    """No arrivals after the limit is reached."""
    market = Market(settings(limit=100))
    assert 100 <= len(run(market, [10 * MINUTE_US])) < 106
    assert market.exhausted
    assert run(market, [20 * MINUTE_US]) == []


def test_books_are_never_crossed_and_quotes_are_their_best_levels() -> None:
    """After each arrival: bids fall, asks rise, best bid below best ask, quotes agree."""
    market = Market(settings())
    seen = 0
    for arrival in market.until(START_US + 10_000_000):
        bids, asks = arrival.symbol.book()
        assert list(bids) == sorted(bids, reverse=True)
        assert list(asks) == sorted(asks)
        (bid, bid_size), (ask, ask_size) = next(iter(bids.items())), next(iter(asks.items()))
        assert bid < ask
        assert arrival.symbol.best() == (bid, bid_size, ask, ask_size)
        assert min(*bids.values(), *asks.values()) > 0
        seen += 1
    assert seen > 100


def test_trades_happen_at_the_touch() -> None:
    """A buyer pays the ask or more, a seller gets the bid or less."""
    for arrival in Market(settings()).until(START_US + 10_000_000):
        bid, _, ask, _ = arrival.symbol.best()
        for trade in arrival.trades:
            assert trade.price >= ask if trade.buy else trade.price <= bid


def test_single_symbol_gets_the_whole_rate() -> None:
    """With one symbol none is thin."""
    assert symbol_rates(1, 12.0) == [12.0]
