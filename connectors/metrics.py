"""What a feed counts, and how Prometheus reads it.

The hot path adds to plain ints; a collector reads them when Prometheus asks. A ``Counter.inc``
per event would cost as much as decoding the event.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.errors import ConfigurationError

LAG_SAMPLES = 1024
"""Size of the ring of lags; a power of two, because the hot path masks the index."""

QUANTILES = (0.5, 0.9, 0.99)


class FeedStats:
    """Counters of one feed since its start; written by the event loop only."""

    __slots__ = (
        "book_resyncs",
        "books",
        "books_crossed",
        "books_empty",
        "candles",
        "conflated",
        "connected",
        "dead_letters",
        "delivery_errors",
        "depth_bytes",
        "depth_records",
        "dropped",
        "duplicates",
        "filled",
        "frames",
        "gap_trades",
        "gaps",
        "heartbeats",
        "lags",
        "quotes",
        "reconnects",
        "stale_streams",
        "statuses",
        "trades",
        "unrouted",
        "venue",
    )

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.frames = 0
        self.trades = 0
        self.quotes = 0
        self.books = 0
        self.candles = 0
        self.book_resyncs = 0
        self.books_crossed = 0
        self.books_empty = 0
        self.duplicates = 0
        self.filled = 0
        """Trades brought by REST that no socket had brought."""
        self.conflated = 0
        """Quotes and book updates merged into a later one because Kafka was slow."""
        self.dropped: dict[str, int] = {}
        """By channel: events given up because Kafka was slow and the policy says so."""
        self.gaps = 0
        self.gap_trades = 0
        self.reconnects = 0
        self.heartbeats = 0
        self.delivery_errors = 0
        self.unrouted = 0
        """Candles that nobody subscribed to."""
        self.dead_letters: dict[str, int] = {}
        self.statuses: dict[str, int] = {}
        """Status events by kind."""
        self.connected = 0
        self.stale_streams = 0
        self.depth_records = 0
        self.depth_bytes = 0
        self.lags: list[int] = [0] * LAG_SAMPLES
        """Ring of (receipt - event time) in µs, one sample a frame, by frame number."""

    def lag_quantiles(self) -> list[tuple[float, float]]:
        """(quantile, seconds) over the last frames; empty before the first."""
        sample = sorted(self.lags[: min(self.frames, LAG_SAMPLES)])
        if not sample:
            return []
        last = len(sample) - 1
        return [(q, sample[round(q * last)] / 1_000_000) for q in QUANTILES]


class FeedCollector(Collector):
    """Turns `FeedStats` into Prometheus families at scrape time."""

    def __init__(self, stats: FeedStats, refresh: Callable[[], None] = lambda: None) -> None:
        self._stats = stats
        self._refresh = refresh

    def collect(self) -> Iterator[Metric]:
        """All families of the feed."""
        self._refresh()
        stats = self._stats
        events = CounterMetricFamily(
            "feed_events", "Events given to Kafka.", labels=["venue", "channel"]
        )
        for channel in ("trades", "quotes", "books", "candles"):
            events.add_metric([stats.venue, channel], getattr(stats, channel))
        yield events
        dead = CounterMetricFamily(
            "feed_dead_letters", "Frames or parts refused.", labels=["venue", "reason"]
        )
        for reason, number in stats.dead_letters.items():
            dead.add_metric([stats.venue, reason], number)
        yield dead
        told = CounterMetricFamily("feed_statuses", "Status events.", labels=["venue", "kind"])
        for kind, number in stats.statuses.items():
            told.add_metric([stats.venue, kind], number)
        yield told
        dropped = CounterMetricFamily(
            "feed_dropped", "Events dropped because Kafka was slow.", labels=["venue", "channel"]
        )
        for channel, number in stats.dropped.items():
            dropped.add_metric([stats.venue, channel], number)
        yield dropped
        lag = GaugeMetricFamily(
            "feed_lag_seconds", "Receipt minus event time.", labels=["venue", "quantile"]
        )
        for quantile, seconds in stats.lag_quantiles():
            lag.add_metric([stats.venue, str(quantile)], seconds)
        yield lag
        for name, text in COUNTERS.items():
            counter = CounterMetricFamily(f"feed_{name}", text, labels=["venue"])
            counter.add_metric([stats.venue], getattr(stats, name))
            yield counter
        for name, text in GAUGES.items():
            gauge = GaugeMetricFamily(f"feed_{name}", text, labels=["venue"])
            gauge.add_metric([stats.venue], getattr(stats, name))
            yield gauge


COUNTERS = {
    "frames": "Frames read from the socket.",
    "duplicates": "Trades that had been published before.",
    "filled": "Trades brought by REST that no socket had brought.",
    "conflated": "Quotes and books merged because Kafka was slow.",
    "book_resyncs": "Books found broken and asked for anew.",
    "books_crossed": "Times a book became crossed: best bid at or above best ask.",
    "books_empty": "Times a side of a book became empty.",
    "gaps": "Ranges of trades published as missing.",
    "gap_trades": "Trades in those ranges, where the end is known.",
    "reconnects": "Connections after the first.",
    "heartbeats": "Heartbeats published.",
    "delivery_errors": "Records that Kafka refused for good.",
    "unrouted": "Items of no interest.",
}

GAUGES = {
    "connected": "1 while subscribed and live.",
    "stale_streams": "Streams that are stale now.",
    "depth_records": "Records that wait for Kafka.",
    "depth_bytes": "Bytes that wait for Kafka.",
}


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a request: a scrape does not wait for a change of subscriptions."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each scrape."""


def serve_metrics(
    stats: FeedStats,
    port: int,
    refresh: Callable[[], None],
    apps: Mapping[str, WSGIApplication] | None = None,
) -> int | None:
    """Serve ``/metrics`` on 127.0.0.1; gives the port.

    Args:
        stats: What to show.
        port: 0 takes any free port, -1 serves nothing (None is returned).
        refresh: Called before each scrape, to bring ``stats`` up to date.
        apps: What else is served, by path.
    """
    if port < 0:
        return None
    registry = CollectorRegistry()
    registry.register(FeedCollector(stats, refresh))
    metrics = make_wsgi_app(registry)

    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        app: Any = (apps or {}).get(str(environ.get("PATH_INFO")), metrics)
        answer: Iterable[bytes] = app(environ, start)
        return answer

    try:
        server = make_server("127.0.0.1", port, serve, _Server, _Silent)
    except OSError as error:
        raise ConfigurationError(
            f"METRICS_PORT {port} cannot be used ({error}): choose another, 0 for any, -1 for none"
        ) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_port)
