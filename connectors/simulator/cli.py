"""The command line of the local exchange."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from connectors.simulator.clock import parse_duration, parse_speed, parse_start
from connectors.simulator.faults import load_schedule
from connectors.simulator.simulator import DEFAULT_VENUES, VENUES, Settings, SettingsError, serve
from connectors.simulator.venue import Limits

app = typer.Typer(add_completion=False, no_args_is_help=False)


@app.command()
def simulate(
    control_port: Annotated[int, typer.Option(help="Control over HTTP; 0: any free port.")] = 18100,
    binance_port: Annotated[int, typer.Option(help="Binance's WebSocket and REST.")] = 18101,
    coinbase_port: Annotated[int, typer.Option(help="Coinbase's WebSocket and REST.")] = 18102,
    kraken_port: Annotated[int, typer.Option(help="Kraken's WebSocket and REST.")] = 18104,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    venues: Annotated[str, typer.Option(help="Which venues run: also kraken.")] = ",".join(
        DEFAULT_VENUES
    ),
    symbols: Annotated[int, typer.Option(min=1, help="Symbols per venue.")] = 20,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Trades per simulated second and venue.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(help="Same seed, same trades.")] = 1,
    trades: Annotated[int | None, typer.Option(help="Stop making trades after so many.")] = None,
    since: Annotated[str, typer.Option(help="Start so long ago: 90s, 15m, 2h.")] = "0",
    start: Annotated[
        str | None, typer.Option(help="Start at this ISO time (UTC) instead of --since.")
    ] = None,
    catch_up: Annotated[
        str | None, typer.Option(help="Speed until the wall clock is reached: 200x.")
    ] = None,
    speed: Annotated[
        str, typer.Option(help="Speed without a catch-up; may run ahead of the wall clock.")
    ] = "1",
    warm_up: Annotated[
        str, typer.Option(help="So much of the market happens before the start.")
    ] = "0",
    wait_for_subscribers: Annotated[
        str, typer.Option(help="The clock stands until then: binance=1,coinbase=1.")
    ] = "",
    skew: Annotated[
        str, typer.Option(help="Seconds by which a venue's clock is ahead: coinbase=30.")
    ] = "",
    ledger: Annotated[Path | None, typer.Option(help="Write the ledger to this file.")] = None,
    faults: Annotated[
        Path | None, typer.Option(help="JSON list of faults with 'at' in simulated seconds.")
    ] = None,
    recording: Annotated[
        list[Path] | None, typer.Option(help="Play this recording instead of a market.")
    ] = None,
    ping_seconds: Annotated[float, typer.Option(help="Server pings so often.")] = 20.0,
    pong_seconds: Annotated[float, typer.Option(help="Drop clients without a pong.")] = 60.0,
    max_unread: Annotated[int, typer.Option(help="Drop clients with more bytes unread.")] = (
        1_000_000
    ),
) -> None:
    """Run a local exchange that speaks the venues' own protocols.

    Prints its addresses as one line of JSON when ready; Ctrl-C ends it and the ledger.
    """
    ports = {"binance": binance_port, "coinbase": coinbase_port, "kraken": kraken_port}
    try:
        settings = Settings(
            host=host,
            control_port=control_port,
            ports={name: ports[name] for name in _names(venues)},
            symbols=symbols,
            rate=rate,
            seed=seed,
            trades=trades,
            since_seconds=parse_duration(since),
            start_us=None if start is None else parse_start(start),
            speed=parse_speed(speed),
            warm_up_seconds=parse_duration(warm_up),
            catch_up=None if catch_up is None else parse_speed(catch_up),
            waiting_for={name: int(n) for name, n in _pairs(wait_for_subscribers).items()},
            skew_seconds=_pairs(skew),
            ledger=ledger,
            schedule=() if faults is None else tuple(load_schedule(faults)),
            recordings=tuple(recording or ()),
            limits=Limits(ping_every=ping_seconds, pong_within=pong_seconds, max_unread=max_unread),
        )
    except (ValueError, OSError, msgspec.DecodeError) as error:
        raise typer.BadParameter(str(error)) from error
    try:
        asyncio.run(_run(settings))
    except (SettingsError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error


async def _run(settings: Settings) -> None:
    async with serve(settings) as running:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.engine.stopping.set)
        print(json.dumps(running.addresses), flush=True)
        await running.engine.stopping.wait()


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in VENUES]
    if unknown or not names:
        raise ValueError(f"venues are {', '.join(VENUES)}, was {text!r}")
    return names


def _pairs(text: str) -> dict[str, float]:
    pairs: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name.strip() not in VENUES or not value:
            raise ValueError(f"expected venue=number, was {part!r}")
        pairs[name.strip()] = float(value)
    return pairs
