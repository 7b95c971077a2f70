"""Metrics are read from plain counters at scrape time."""

import socket
import urllib.request

import pytest

from connectors.errors import ConfigurationError
from connectors.metrics import LAG_SAMPLES, FeedStats, serve_metrics


def scrape(port: int) -> dict[str, float]:
    """All samples by name with labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def test_a_scrape_shows_what_was_counted() -> None:
    """Counters, dead letters by reason and lag percentiles appear with their labels."""
    stats = FeedStats("binance")
    stats.frames, stats.duplicates, stats.dead_letters = 4, 3, {"price": 2}
    stats.dropped = {"books": 5}
    stats.lags[:4] = [1_000_000, 2_000_000, 3_000_000, 4_000_000]

    def refresh() -> None:
        stats.trades = 7

    port = serve_metrics(stats, 0, refresh)
    assert port is not None
    shown = scrape(port)
    assert shown['feed_events_total{channel="trades",venue="binance"}'] == 7
    assert shown['feed_duplicates_total{venue="binance"}'] == 3
    assert shown['feed_dropped_total{channel="books",venue="binance"}'] == 5
    assert shown['feed_dead_letters_total{reason="price",venue="binance"}'] == 2
    assert shown['feed_lag_seconds{quantile="0.99",venue="binance"}'] == 4.0


def test_lag_percentiles_are_of_the_last_frames_only() -> None:
    """The ring forgets what is older than its size."""
    stats = FeedStats("binance")
    assert stats.lag_quantiles() == []
    for number in range(2 * LAG_SAMPLES):
        stats.lags[number & (LAG_SAMPLES - 1)] = 9_000_000 if number < LAG_SAMPLES else 1_000
        stats.frames += 1
    assert [seconds for _, seconds in stats.lag_quantiles()] == [0.001] * 3


def test_minus_one_serves_nothing() -> None:
    """Metrics can be off."""
    assert serve_metrics(FeedStats("binance"), -1, lambda: None) is None


def test_a_port_in_use_is_refused_with_the_remedy() -> None:
    """The error names the variable and what to choose instead."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"METRICS_PORT {port}.*0 for any"):
            serve_metrics(FeedStats("binance"), port, lambda: None)
