"""The command line of the local Yahoo and JPX."""

import asyncio
import json
import signal
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from connectors.simulator.stocks.faults import load_faults
from connectors.simulator.stocks.server import Settings, serve

app = typer.Typer(add_completion=False, no_args_is_help=False)


@app.command()
def simulate_stocks(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0: any free port.")] = 18103,
    symbols: Annotated[
        int, typer.Option(min=1, help="Ordinary shares; funds and others come on top.")
    ] = 3800,
    seed: Annotated[int, typer.Option(help="Same seed, same stocks and histories.")] = 7,
    years: Annotated[int, typer.Option(min=1, help="The data goes back so far.")] = 1,
    today: Annotated[
        str | None, typer.Option(help="Last day that is known, as 2026-11-20; default: today.")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help="JSON list of faults; see POST /control/faults.")
    ] = None,
    calendar: Annotated[
        Path | None, typer.Option(help="JSON list of sessions instead of the exchange's rules.")
    ] = None,
    check_crumb: Annotated[
        bool, typer.Option(help="Prices need cookie and crumb, as quotes do.")
    ] = False,
) -> None:
    """Run a local Yahoo Finance and JPX with made-up stocks and seeded histories.

    Prints its addresses as one line of JSON when ready; Ctrl-C ends it.
    """
    try:
        settings = Settings(
            port=port,
            symbols=symbols,
            seed=seed,
            years=years,
            today=None if today is None else date.fromisoformat(today),
            faults=() if faults is None else tuple(load_faults(faults)),
            calendar=calendar,
            check_crumb=check_crumb,
        )
    except (ValueError, OSError, msgspec.DecodeError) as error:
        raise typer.BadParameter(str(error)) from error
    try:
        asyncio.run(_run(settings))
    except (ValueError, OSError, msgspec.DecodeError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error


async def _run(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with serve(settings) as running:
        print(json.dumps(running.addresses), flush=True)
        await stopping.wait()
