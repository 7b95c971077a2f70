"""What the contract test needs to know of a venue: `samples/<venue>.py` holds one `SAMPLE`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from connectors.exchanges import registry
from connectors.exchanges.base import Instrument, Parser, Subscription

NOW = 1_700_000_000_000_000
"""Receipt of every sample frame: 2023-11-14 22:13:20 UTC, in µs."""

TIME = NOW - 1_000_000
"""When the sample's trades happened, µs: one second before."""


class Row(NamedTuple):
    """A trade that the venue's REST side knows."""

    number: int
    ms: int


@dataclass(frozen=True)
class Sample:
    """Frames and answers of one venue, built from its documentation unless said otherwise."""

    venue: str
    instruments: tuple[Instrument, ...]
    """At least two; the first is the one of ``trade``."""
    listing: bytes
    """A REST answer that lists ``instruments`` and nothing else of theirs."""
    trade: str
    """A frame with one trade: PRICE, SIZE and TIME stand for the values, with their quotes."""
    time: Callable[[int], str]
    """TIME of a moment in µs, as JSON."""
    frames: tuple[tuple[bytes, tuple[type, ...]], ...]
    """Frames in the order of one connection, and the kinds of items they give."""
    rows: Callable[[dict[str, str], Sequence[Row]], object]
    """The answer to a request for trades with this query, where the venue has these rows."""
    answers: Callable[[Any], list[object]] | None = None
    """What the venue answers to one request; None where it confirms nothing."""
    refusal: Callable[[Any], object] | None = None
    """How it refuses a request, naming what."""
    maintenance: bytes | None = None
    """How it announces that it will close the connection."""
    pong: bytes | None = None
    """Its answer to our keep-alive."""
    numbers: bool = False
    """Prices are JSON numbers."""
    natives: tuple[str, ...] = ()
    """Markets of the recording."""
    recorded: dict[str, int] = field(default_factory=dict)
    """Items of the recording by kind, counted apart from our parser."""

    def parser(self, natives: Sequence[str] = ()) -> Parser:
        """Return a fresh connection's parser, for the sample's or the recording's markets."""
        fine = "0.00000001"
        made = [Instrument(f"A{n}-B", name, fine, fine) for n, name in enumerate(natives)]
        return registry.venue(self.venue).parser(made or self.instruments, f"{self.venue}-1")

    def subscriptions(self) -> list[Subscription]:
        """Return everything that the venue has, for all instruments."""
        channels = sorted(registry.venue(self.venue).channels)
        return [Subscription(c, one.symbol) for c in channels for one in self.instruments]

    def trade_frame(self, price: str = "", size: str = "", time: str = "") -> bytes:
        """Return the trade's frame with these JSON values."""
        quote = "" if self.numbers else '"'
        filled = self.trade.replace("PRICE", price or f"{quote}68016.19{quote}")
        filled = filled.replace("SIZE", size or f"{quote}0.15{quote}")
        return filled.replace("TIME", time or self.time(TIME)).encode()

    def page(self, url: str, rows: Sequence[Row]) -> bytes:
        """Answer a request for trades."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return json.dumps(self.rows(query, rows)).encode()


def load(venue: str) -> Sample:
    """Return a venue's sample."""
    sample: Sample = import_module(f"tests.connectors.exchanges.samples.{venue}").SAMPLE
    return sample


def text(value: str) -> str:
    """Return JSON text."""
    return json.dumps(value)


def iso(micros: int) -> str:
    """Return ``2023-11-14T22:13:19.000000Z``."""
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def newest_first(rows: Sequence[Row], below: str | None, limit: int) -> list[Row]:
    """Return a page as most venues cut it."""
    known = [row for row in rows if below is None or row.number < int(below)]
    return known[::-1][:limit]
