"""The command line of the order generator."""

import itertools
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from connectors.kafka.admin import ensure_topics
from connectors.kafka.clients import open_producer
from connectors.kafka.topics import ORDER_TOPICS
from connectors.settings import load_settings
from connectors.simulator.clock import parse_duration, parse_speed, parse_start
from connectors.simulator.orders.stream import stream
from connectors.simulator.orders.world import Settings
from connectors.simulator.orders.writer import Writer, open_ledger

app = typer.Typer(add_completion=False, no_args_is_help=False)


@app.command()
def simulate_orders(
    since: Annotated[str, typer.Option(help="Start so long ago: 90s, 15m, 2h.")] = "0",
    start: Annotated[
        str | None, typer.Option(help="Start at this ISO time (UTC) instead of --since.")
    ] = None,
    length: Annotated[str, typer.Option("--for", help="Make orders for so long.")] = "1h",
    speed: Annotated[str, typer.Option(help="200x, or max: as fast as Kafka takes them.")] = "1",
    rate: Annotated[float, typer.Option(min=0.001, help="Orders per simulated second.")] = 2.0,
    customers: Annotated[int, typer.Option(min=1, help="Customers, and accounts.")] = 200,
    seed: Annotated[int, typer.Option(help="Same seed, same records.")] = 1,
    late: Annotated[float, typer.Option(min=0, max=1, help="Share that is too late.")] = 0.001,
    copies: Annotated[float, typer.Option(min=0, max=1, help="Share that is sent twice.")] = 0.01,
    corrupt: Annotated[float, typer.Option(min=0, max=1, help="Share of corrupted ones.")] = 0.005,
    beat: Annotated[str, typer.Option(help="Time between two heartbeats.")] = "1s",
    quiet: Annotated[str, typer.Option(help="A last heartbeat so long after the end.")] = "0",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many records.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Write the ledger to this file.")] = None,
) -> None:
    """Write orders, events, transactions, payments and reservations into Kafka, and heartbeats.

    Prints how many records of each kind were written; Kafka's address is that of the settings.
    """
    try:
        begin = (
            round((time.time() - parse_duration(since)) * 1e6)
            if start is None
            else parse_start(start)
        )
        made = Settings(
            start_us=begin,
            seconds=parse_duration(length),
            seed=seed,
            rate=rate,
            customers=customers,
            late=late,
            copies=copies,
            corrupt=corrupt,
            beat=parse_duration(beat) or 1.0,
            quiet=parse_duration(quiet),
        )
        pace = None if speed == "max" else parse_speed(speed)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings = load_settings()
    ensure_topics(settings.kafka_bootstrap_servers, settings.topic_prefix, ORDER_TOPICS)
    names = [settings.topic(topic.name) for topic in ORDER_TOPICS]
    book = open_ledger(ledger)
    writer = Writer(open_producer(settings, names), settings.topic_prefix, book)
    try:
        writer.write(itertools.islice(stream(made), limit), pace, begin)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    finally:
        writer.close(settings.flush_timeout)
        if book is not None:
            book.close()
    print(json.dumps(dict(writer.written)), flush=True)
    if writer.failures:
        typer.echo(f"Error: Kafka refused {len(writer.failures)} records", err=True)
        raise typer.Exit(1)
