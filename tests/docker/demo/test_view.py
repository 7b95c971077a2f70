"""What the demo's terminal draws."""

from collections import deque

from rich.console import Console

from docker.demo.state import DemoState, Feed
from docker.demo.view import screen, sparkline
from docker.local.stack import Status

METRICS = """\
# TYPE feed_events_total counter
feed_events_total{venue="binance",channel="trades"} 100.0
feed_events_total{venue="binance",channel="quotes"} 50.0
# TYPE feed_lag_seconds gauge
feed_lag_seconds{venue="binance",quantile="0.5"} 0.004
feed_lag_seconds{venue="binance",quantile="0.99"} 0.020
# TYPE feed_connected gauge
feed_connected{venue="binance"} 1.0
"""

BAR = {
    "exchange": "binance",
    "symbol": "BTC-USDT",
    "window_start": "2026-11-22 20:15:00",
    "close": 64000.5,
    "vwap": 64001.25,
    "trade_count": 42,
}


def drawn(state: DemoState, width: int = 80) -> str:
    """The screen as plain text."""
    console = Console(width=width, record=True, quiet=True, file=None)
    with console.capture() as capture:
        console.quiet = False
        console.print(screen(state, {"Flink": "http://127.0.0.1:18081"}))
    return capture.get()


def test_sparkline_scales_between_lowest_and_highest() -> None:
    """The lowest value gets the lowest block, the highest the highest; equal ones are level."""
    assert sparkline([1, 2, 3]) == "▁▅█"
    assert sparkline([5, 5]) == "▁▁"
    assert sparkline([]) == ""


def test_an_empty_state_says_what_it_waits_for() -> None:
    """Before the first window the screen is drawn all the same."""
    text = drawn(DemoState(feeds={"binance": Feed()}))
    assert "the first window closes soon" in text
    assert "none yet" in text


def test_bars_alerts_and_services_are_readable_on_eighty_columns() -> None:
    """Nothing that a person must read is cut at the usual width."""
    feed = Feed(connected=True, events=1234567, lag_p50=0.004, lag_p99=0.02)
    state = DemoState(
        services=[Status("taskmanager", 1, 19092, "up", "", 300 * 2**20)],
        feeds={"coinbase": feed},
    )
    state.take("analytics.bars_1m", dict(BAR))
    state.take("alerts", {"event_time": "2026-11-22 20:15:01", "severity": "high", "message": "m"})
    state.take("market.late-events", {})
    text = drawn(state)
    for words in ("BTC-USDT", "64,000.50", "20:15", "high", "late rows 1", "300 MiB"):
        assert words in text
    for words in ("taskmanager", "coinbase", "1,234,567", "4ms/20ms"):
        assert words in text


def test_a_feed_learns_rate_and_lag_from_its_metrics() -> None:
    """Events per second is the difference of two scrapes over the time between them."""
    feed = Feed()
    feed.update(METRICS, now=10)
    feed.update(METRICS.replace("100.0", "300.0"), now=12)
    assert (feed.connected, feed.events, feed.rate) == (True, 350, 100)
    assert (feed.lag_p50, feed.lag_p99) == (0.004, 0.020)


def test_history_is_bounded() -> None:
    """A long run does not grow the state."""
    state = DemoState()
    for _ in range(1000):
        state.take("analytics.bars_1m", dict(BAR))
    (history,) = state.bars.values()
    assert isinstance(history, deque)
    assert len(history) == history.maxlen
    assert state.windows == 1000
