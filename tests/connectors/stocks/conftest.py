"""A loopback Yahoo and a source of it, for each test anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.stocks.yahoo import YahooSource
from tests.connectors.stocks import upstream as yahoo
from tests.connectors.stocks.fetching import ROWS, Throttle, settings_of
from tests.connectors.stocks.upstream import Upstream, chart


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A loopback Yahoo that serves 7203.T."""
    with yahoo.serve() as running:
        running.answers["7203.T"] = [chart(ROWS)]
        yield running


@pytest.fixture
def throttle() -> Throttle:
    """One that lets everything pass."""
    return Throttle()


@pytest.fixture
def source(upstream: Upstream, throttle: Throttle, tmp_path: Path) -> YahooSource:
    """A source of that Yahoo, with its own cookie and crumb."""
    return YahooSource(settings_of(upstream.url, tmp_path), throttle, timeout=3)
