"""Order books through the local exchange: what the topic says is what the exchange has."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.books import OrderBook
from connectors.events import BookUpdate
from connectors.exchanges import registry
from connectors.exchanges.base import Venue
from connectors.feed.supervisor import Feed
from connectors.kafka.admin import ensure_topics
from connectors.kafka.serde import decode
from connectors.kafka.topics import partition_of
from connectors.settings import load_settings
from tests.connectors.feed.running import read_topic, until
from tests.connectors.simulator.harness import Exchange, exchange

pytestmark = pytest.mark.integration
E8 = Decimal(10) ** 8
Side = dict[Decimal, Decimal]


class Outcome(NamedTuple):
    """Of one run."""

    feed: Feed
    books: dict[str, OrderBook]
    breaks: int
    """Updates in the topic that did not continue the one before."""
    statuses: list[dict[str, Any]]


async def run_books(
    here: Exchange,
    venue: Venue,
    bootstrap: str,
    state: Path,
    disturb: Callable[[Feed], object],
) -> Outcome:
    """Run a feed of books until the market has ended; rebuild the books from the topic."""
    address = here.addresses[venue.name]
    prefix = f"{state.name[-30:]}-{venue.name}."
    settings = load_settings(
        **{
            "kafka_bootstrap_servers": bootstrap,
            "topic_prefix": prefix,
            "market_streams_state": state,
            f"{venue.name}_ws_url": address["ws"],
            f"{venue.name}_rest_url": address["rest"],
            "coinbase_exchange_rest_url": address["rest"],
            "backoff_base": 0.05,
            "backoff_cap": 0.2,
            "metrics_port": -1,
        }
    )
    await asyncio.to_thread(ensure_topics, bootstrap, prefix)
    symbols = here.engine.venues[venue.name].symbols
    feed = Feed(venue, symbols, ["books"], settings)
    stop = asyncio.Event()
    task = asyncio.create_task(feed.run(stop))
    await until(lambda: feed.state and feed.state.total_events() > 20, what="books flow")
    disturb(feed)
    await until(lambda: here.engine.finished, 30, "the market has ended")
    await until(lambda: feed.stats.connected, what="live at the end")
    await asyncio.sleep(0.6)
    stop.set()
    assert await task == 0
    partition = partition_of(venue.name)
    books = {symbol: OrderBook() for symbol in symbols}
    breaks = 0
    for record in read_topic(bootstrap, f"{prefix}market.books", partition):
        event = decode(record.value)
        if isinstance(event, BookUpdate):
            book = books[event.symbol]
            breaks += not event.is_snapshot and event.prev_sequence != book.sequence
            book.apply(event)
            assert not book.is_crossed
    statuses = [r.json for r in read_topic(bootstrap, f"{prefix}market.status", partition)]
    return Outcome(feed, books, breaks, statuses)


def check(here: Exchange, venue: Venue, outcome: Outcome) -> None:
    """Each book of the topic is the exchange's."""
    assert outcome.breaks == 0
    for market in here.engine.venues[venue.name].market.symbols:  # type: ignore[attr-defined]
        bids, asks = market.book()
        book = outcome.books[market.instrument.symbol]
        assert _numbers(book.bids) == {Decimal(p) / E8: Decimal(s) / E8 for p, s in bids.items()}
        assert _numbers(book.asks) == {Decimal(p) / E8: Decimal(s) / E8 for p, s in asks.items()}
        if venue.name == "binance":
            assert book.sequence == market.update_id


def _numbers(side: dict[str, str]) -> Side:
    return {Decimal(price): Decimal(size) for price, size in side.items()}


@pytest.mark.parametrize(
    "venue", [registry.venue("binance"), registry.venue("coinbase")], ids=lambda v: v.name
)
async def test_books_rebuilt_from_the_topic_are_the_exchanges_own(
    venue: Venue, bootstrap: str, tmp_path: Path
) -> None:
    """Through a cut connection: every update in the topic continues, the last state is equal."""
    async with exchange(rate=60.0, trades=600, waiting_for={}) as here:

        def cut(_: Feed) -> None:
            for conn in tuple(here.engine.venues[venue.name].connections.values()):
                conn.abort()

        outcome = await run_books(here, venue, bootstrap, tmp_path, cut)
        check(here, venue, outcome)
    assert outcome.feed.stats.reconnects == 1


@pytest.mark.parametrize(
    "venue", [registry.venue("binance"), registry.venue("coinbase")], ids=lambda v: v.name
)
async def test_a_break_resets_one_symbol_and_is_told(
    venue: Venue, bootstrap: str, tmp_path: Path
) -> None:
    """One symbol's chain is broken: it alone is told, asked for anew, and right at the end."""
    async with exchange(rate=60.0, trades=600) as here:

        def lose(feed: Feed) -> None:
            kept = feed._books._books[broken]
            kept.sync.sequence -= 1_000_000_000  # as if a billion updates had been lost

        broken = here.engine.venues[venue.name].symbols[0]
        outcome = await run_books(here, venue, bootstrap, tmp_path, lose)
        check(here, venue, outcome)
    assert outcome.feed.stats.reconnects == 0
    told = [(s["kind"], s["symbol"]) for s in outcome.statuses if s["channel"] == "books"]
    assert told == [("resync", broken), ("stale", broken), ("recovered", broken)]
    (resync,) = [s for s in outcome.statuses if s["kind"] == "resync"]
    assert resync["from_id"] <= resync["to_id"]
