"""Command line of the connectors: run a feed, make the topics, play an exchange.

Exit codes: 0 done, 1 records were left in the dead-letter folder, 2 wrong settings or arguments,
3 Kafka is unreachable.
"""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from connectors.errors import BrokerUnreachable, ConfigurationError
from connectors.exchanges import registry
from connectors.exchanges.base import Venue
from connectors.kafka.topics import DEFAULT_VENUES, WRITERS, Topic, topics_for
from connectors.settings import Settings, load_settings
from connectors.symbols import nearest

CHANNELS = ("trades", "quotes", "books", "candles")
Work = Callable[[asyncio.Event], Coroutine[Any, Any, int]]
EXIT_LEFT, EXIT_SETTINGS, EXIT_BROKER = 1, 2, 3

app = typer.Typer(
    help="Market data from exchanges into Kafka.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; every foreseen error is one line that names the remedy."""
    try:
        app()
    except ConfigurationError as error:
        _fail(error, EXIT_SETTINGS)
    except BrokerUnreachable as error:
        _fail(error, EXIT_BROKER)


def _fail(error: Exception, code: int) -> None:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(code)


@app.command()
def run(
    venue: Annotated[str, typer.Option(help="Which exchange, for example binance.")],
    symbols: Annotated[str, typer.Option(help="BASE-QUOTE, comma separated.")],
    channels: Annotated[
        str, typer.Option(help="Of trades, quotes, books, candles; comma separated.")
    ] = "trades",
    connections: Annotated[
        int | None, typer.Option(help="Connections that carry each subscription.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; 0 any, -1 none.")
    ] = None,
    verbose: Annotated[bool, typer.Option(help="Log more.")] = False,
) -> None:
    """Connect to a venue and publish its events, until SIGINT or SIGTERM.

    Addresses and bounds come from the environment or `.env`; see `.env.example`.
    """
    from connectors.feed.supervisor import Feed

    _log(verbose)
    given = {"metrics_port": metrics_port, "connections": connections}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    adapter = _adapter(venue)
    _check_writer(venue, settings)
    feed = Feed(adapter, _names(symbols, "--symbols"), _channels(channels), settings)
    _make_topics(settings, topics_for([venue], settings.shard))
    left = asyncio.run(_serve(_alone(feed.run, venue, settings)))
    if left:
        raise SystemExit(EXIT_LEFT)


@app.command()
def private(
    symbols: Annotated[str, typer.Option(help="Pairs whose orders are wanted.")],
    venue: Annotated[str, typer.Option(help="Which exchange: binance.")] = "binance",
) -> None:
    """Publish our own orders and balances, until SIGINT or SIGTERM.

    The key comes from BINANCE_API_KEY and BINANCE_API_SECRET only.
    """
    from connectors.feed.private import PrivateFeed

    _log(False)
    if venue != "binance":
        raise ConfigurationError(f"--venue: no private channel of {venue}; there is binance")
    settings = load_settings()
    feed = PrivateFeed(registry.venue(venue), _names(symbols, "--symbols"), settings)
    _make_topics(settings, topics_for([venue], settings.shard))
    if asyncio.run(_serve(feed.run)):
        raise SystemExit(EXIT_LEFT)


@app.command()
def record(
    venue: Annotated[str, typer.Option(help="Which exchange, for example binance.")],
    symbols: Annotated[str, typer.Option(help="BASE-QUOTE, comma separated.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    channels: Annotated[str, typer.Option(help="Of trades, quotes, books.")] = "trades",
    max_bytes: Annotated[int, typer.Option(min=1, help="Compressed bytes per file.")] = 100_000_000,
) -> None:
    """Write the raw frames of a venue to zstd files, until SIGINT or SIGTERM."""
    from connectors.feed.recorder import Recorder

    _log(False)
    wanted = _names(symbols, "--symbols"), _channels(channels)
    recorder = Recorder(_adapter(venue), *wanted, load_settings(), out, max_bytes)
    asyncio.run(_serve(recorder.run))
    print(f"{recorder.frames} frames in {', '.join(map(str, recorder.paths))}")


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Files of one venue, in order.")],
    speed: Annotated[str, typer.Option(help="1, 10, 0.5; max: as fast as possible.")] = "1",
) -> None:
    """Send recorded frames through the venue's parser to Kafka, with their own times.

    A replay starts from nothing: give it topics of its own by TOPIC_PREFIX.
    """
    from connectors.feed.replay import replay_files, venue_of

    _log(False)
    try:
        factor = 0.0 if speed == "max" else float(speed)
    except ValueError:
        factor = -1.0
    if factor < 0:
        raise ConfigurationError(f"--speed: a number or max, was {speed!r}")
    settings = load_settings()
    _make_topics(settings, topics_for([venue_of(files[0]).name], settings.shard))
    counts, left = asyncio.run(replay_files(files, factor, settings))
    print(msgspec.json.encode(counts).decode())
    if left:
        raise SystemExit(EXIT_LEFT)


@app.command()
def subscriptions(
    action: Annotated[str, typer.Argument(help="list, add or remove.")],
    symbols: Annotated[list[str] | None, typer.Argument(help="BASE-QUOTE …")] = None,
    venue: Annotated[str, typer.Option(help="Whose feed, for example binance.")] = "binance",
    channels: Annotated[
        str, typer.Option(help="Which; default: those of the feed to add, all to remove.")
    ] = "",
) -> None:
    """Show or change what a running feed of this machine subscribes, a symbol at a time.

    The others see no pause. A restart begins with the symbols of its command line again.
    """
    from connectors.feed.control import Change, ask

    methods = {"list": "GET", "add": "POST", "remove": "DELETE"}
    if action not in methods:
        raise ConfigurationError(f"no action {action!r}; there are {', '.join(methods)}")
    change = None
    if action != "list":
        names = _channels(channels) if channels else []
        change = Change(_names(",".join(symbols or ()), "SYMBOL"), names)
    answer = ask(load_settings(), _adapter(venue).name, methods[action], change)
    for row in answer.get("subscriptions", ()):
        state = "live" if row["live"] else "held"
        where = ", ".join(row["connections"]) or "no connection"
        print(f"{row['symbol']:16} {','.join(row['channels']):32} {state:5} {where}")
    for symbol, done in answer.get("done", {}).items():
        print(f"{symbol}: {done}")
    errors = answer.get("errors", {})
    for symbol, error in errors.items():
        print(f"error: {symbol}: {error}", file=sys.stderr)
    if errors:
        raise SystemExit(EXIT_SETTINGS)


@app.command()
def topics(
    venues: Annotated[
        str, typer.Option(help="Whose partitions are made; comma separated.")
    ] = ",".join(DEFAULT_VENUES),
) -> None:
    """Create the topics that are missing; what exists keeps its data and never shrinks."""
    settings = load_settings()
    try:
        wanted = topics_for(_names(venues, "--venues"))
    except KeyError as error:
        raise ConfigurationError(f"--venues: {error.args[0]}") from error
    changed = _make_topics(settings, wanted)
    print("\n".join(changed) if changed else "all topics exist")


@app.command()
def bridge(
    topics: Annotated[
        str, typer.Option(help="Which, comma separated; default: all. analytics.* is one word.")
    ] = "",
    verbose: Annotated[bool, typer.Option(help="Log more.")] = False,
) -> None:
    """Turn records of market.*, analytics.* and alerts into events of the bus, until a signal."""
    from connectors.kafka.bridge import Bridge
    from connectors.kafka.bus import EventBus
    from connectors.kafka.security import kafka_python_security

    _log(verbose)
    settings = load_settings()
    bootstrap, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
    security = kafka_python_security(settings)
    bus = EventBus(bootstrap, topic_prefix=prefix, security=security)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        bus.broadcast_heartbeat("bridge")
        wanted = _names(topics, "--topics") if topics else ()
        Bridge(bus, bootstrap, prefix, wanted, security=security).run(stop)
    finally:
        bus.stop()


def _make_topics(settings: Settings, wanted: list[Topic]) -> list[str]:
    from connectors.kafka.admin import ensure_topics
    from connectors.kafka.security import kafka_python_security

    return ensure_topics(
        settings.kafka_bootstrap_servers,
        settings.topic_prefix,
        wanted,
        kafka_python_security(settings),
    )


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def simulate(context: typer.Context) -> None:
    """Play a local exchange that speaks the venues' own protocols (`simulate --help`)."""
    from connectors.simulator.cli import app as simulator

    simulator(context.args, prog_name="python -m connectors simulate")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def simulate_stocks(context: typer.Context) -> None:
    """Play a local Yahoo Finance and JPX (`simulate-stocks --help`)."""
    from connectors.simulator.stocks.cli import app as simulator

    simulator(context.args, prog_name="python -m connectors simulate-stocks")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def simulate_orders(context: typer.Context) -> None:
    """Write made-up orders and transactions into Kafka (`simulate-orders --help`)."""
    from connectors.simulator.orders.cli import app as simulator

    simulator(context.args, prog_name="python -m connectors simulate-orders")


def _alone(work: Work, venue: str, settings: Settings) -> Work:
    """``work``, but only while this process owns the partition, where a database is to say so."""
    if not settings.standby_database_url:
        return work
    from connectors.feed.standby import Ownership, lock_key, run_as_owner

    key = lock_key(settings.topic_prefix, venue, settings.shard)
    return partial(run_as_owner, Ownership(settings.standby_database_url, key), work)


async def _serve(work: Work) -> int:
    """Run ``work`` until SIGINT or SIGTERM sets its stop event."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await work(stop)


def _log(verbose: bool) -> None:
    """Log lines on stderr: time, level, logger, text."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s level=%(levelname)s logger=%(name)s %(message)s",
        stream=sys.stderr,
    )
    # Both clients repeat each reconnect many times; our own lines say what matters.
    for noisy in ("kafka", "websockets", "connectors.kafka.producer_librdkafka.client"):
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.ERROR)


def _adapter(venue: str) -> Venue:
    try:
        return registry.venue(venue)
    except KeyError as error:
        raise ConfigurationError(f"--venue: {error.args[0]}") from error


def _check_writer(venue: str, settings: Settings) -> None:
    if (venue, settings.shard) not in WRITERS:
        raise ConfigurationError(
            f"SHARD={settings.shard}: {venue} shard {settings.shard} has no partition; "
            "append it to WRITERS in connectors/kafka/topics.py"
        )


def _names(text: str, option: str) -> list[str]:
    """Comma-separated names in order, without repeats."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ConfigurationError(f"{option}: give at least one, for example BTC-USDT")
    return names


def _channels(text: str) -> list[str]:
    names = _names(text, "--channels")
    unknown = [f"{name}{nearest(name, CHANNELS)}" for name in names if name not in CHANNELS]
    if unknown:
        raise ConfigurationError(
            f"--channels: no {', '.join(unknown)}; there are {', '.join(CHANNELS)}"
        )
    return names
