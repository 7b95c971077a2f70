"""Command line of the connectors: run a feed, make the topics, play an exchange.

Exit codes: 0 done, 1 records were left in the dead-letter folder, 2 wrong settings or arguments,
3 Kafka is unreachable.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from connectors.errors import BrokerUnreachable, ConfigurationError
from connectors.exchanges import registry
from connectors.kafka.topics import WRITERS
from connectors.settings import Settings, load_settings

CHANNELS = ("trades", "quotes", "books")
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
        str, typer.Option(help="Of trades, quotes, books; comma separated.")
    ] = "trades",
    metrics_port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; 0 any, -1 none.")
    ] = None,
    verbose: Annotated[bool, typer.Option(help="Log more.")] = False,
) -> None:
    """Connect to a venue and publish its events, until SIGINT or SIGTERM.

    Addresses and bounds come from the environment or `.env`; see `.env.example`.
    """
    from connectors.feed.supervisor import Feed
    from connectors.kafka.admin import ensure_topics

    _log(verbose)
    overrides = {} if metrics_port is None else {"metrics_port": metrics_port}
    settings = load_settings(**overrides)
    try:
        adapter = registry.venue(venue)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"--venue: {error.args[0]}") from error
    _check_writer(venue, settings)
    feed = Feed(adapter, _names(symbols, "--symbols"), _channels(channels), settings)
    ensure_topics(settings.kafka_bootstrap_servers, settings.topic_prefix)
    left = asyncio.run(_serve(feed.run))
    if left:
        raise SystemExit(EXIT_LEFT)


@app.command()
def topics() -> None:
    """Create the topics that are missing; what exists keeps its data."""
    from connectors.kafka.admin import ensure_topics

    settings = load_settings()
    changed = ensure_topics(settings.kafka_bootstrap_servers, settings.topic_prefix)
    print("\n".join(changed) if changed else "all topics exist")


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


async def _serve(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
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
    unknown = [name for name in names if name not in CHANNELS]
    if unknown:
        raise ConfigurationError(
            f"--channels: no {', '.join(unknown)}; there are {', '.join(CHANNELS)}"
        )
    return names
