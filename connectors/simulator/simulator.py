"""A run from its settings: builds the venues, opens the ports, runs the engine, ends cleanly."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from aiohttp import web

from connectors.simulator.binance import Binance
from connectors.simulator.clock import Clock
from connectors.simulator.coinbase import Coinbase
from connectors.simulator.control import Control
from connectors.simulator.engine import Engine
from connectors.simulator.faults import Fault, Faults
from connectors.simulator.instruments import listing
from connectors.simulator.kraken import Kraken
from connectors.simulator.ledger import Ledger
from connectors.simulator.market import Market, MarketSettings
from connectors.simulator.playback import PLAYBACKS
from connectors.simulator.recording import load_recording
from connectors.simulator.venue import Limits, Server, Venue

VENUES: dict[str, type[Venue]] = {"binance": Binance, "coinbase": Coinbase, "kraken": Kraken}
DEFAULT_VENUES = ("binance", "coinbase")
TIME_UNIT_US = {"binance": 1000, "coinbase": 1, "kraken": 1}
SEND_BUFFER = 128 * 1024
"""The kernel's part of what a client may leave unread, so that the limit counts for something."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run. Rates are per venue and simulated second; ports 0 take any free one.

    ``warm_up_seconds`` of the market happen before the start: old trades for the snapshots.
    """

    host: str = "127.0.0.1"
    control_port: int = 0
    ports: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(DEFAULT_VENUES, 0))
    symbols: int = 20
    rate: float = 20.0
    seed: int = 1
    trades: int | None = None
    since_seconds: float = 0.0
    warm_up_seconds: float = 0.0
    start_us: int | None = None
    speed: float = 1.0
    catch_up: float | None = None
    waiting_for: Mapping[str, int] = field(default_factory=dict)
    skew_seconds: Mapping[str, float] = field(default_factory=dict)
    ledger: Path | None = None
    schedule: tuple[Fault, ...] = ()
    recordings: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Running:
    """A simulator whose ports are open: ``addresses["binance"]["ws"]``, ``["control"]["http"]``."""

    engine: Engine
    addresses: dict[str, dict[str, str]]


class SettingsError(ValueError):
    """Settings that cannot be run; the text says what is wrong."""


def build(settings: Settings) -> Engine:
    """The engine of a run, without ports; recordings take the place of all markets.

    SettingsError where settings name a venue that does not run, or a recording is unusable.
    """
    if settings.recordings:
        return _build_playback(settings)
    _check_names(settings, settings.ports)
    start_us = settings.start_us
    if start_us is None:
        start_us = round((time.time() - settings.since_seconds) * 1000) * 1000
    warm_up_us = round(settings.warm_up_seconds * 1_000_000)
    clock = Clock(start_us, speed=settings.speed, catch_up=settings.catch_up)
    ledger = Ledger(settings.ledger)
    venues: dict[str, Server] = {}
    for place, name in enumerate(settings.ports):
        faults = Faults(name, settings.seed, ledger)
        market = Market(_market_settings(settings, name, place, start_us - warm_up_us))
        skew_us = round(settings.skew_seconds.get(name, 0.0) * 1_000_000)
        venues[name] = VENUES[name](market, ledger, faults, clock, settings.limits, skew_us)
    live = settings.start_us is None and settings.since_seconds == 0 and not warm_up_us
    engine = Engine(
        clock,
        venues,
        ledger,
        waiting_for=settings.waiting_for,
        schedule=settings.schedule,
        start_at_release=live,
    )
    if warm_up_us:
        for venue in venues.values():
            venue.advance(clock.start_us)
    return engine


def _build_playback(settings: Settings) -> Engine:
    try:
        recordings = [load_recording(path) for path in settings.recordings]
    except (OSError, ValueError, KeyError, zstandard.ZstdError) as error:
        raise SettingsError(f"recording cannot be played: {error}") from error
    _check_names(settings, [one.exchange for one in recordings])
    clock = Clock(min(one.start_us for one in recordings), speed=settings.speed)
    ledger = Ledger(settings.ledger)
    venues: dict[str, Server] = {}
    for one in recordings:
        faults = Faults(one.exchange, settings.seed, ledger)
        playback = PLAYBACKS[one.exchange]
        venues[one.exchange] = playback(one, ledger, faults, clock, settings.limits)
    waiting_for = settings.waiting_for or dict.fromkeys(venues, 1)
    return Engine(clock, venues, ledger, waiting_for=waiting_for, schedule=settings.schedule)


def _check_names(settings: Settings, running: Collection[str]) -> None:
    named = {
        "waiting_for": settings.waiting_for,
        "skew_seconds": settings.skew_seconds,
        "schedule": [fault.exchange for fault in settings.schedule],
    }
    for setting, names in named.items():
        for name in names:
            if name not in running:
                raise SettingsError(
                    f"{setting}: {name!r} does not run (running: {', '.join(running)})"
                )


def _market_settings(settings: Settings, name: str, place: int, start_us: int) -> MarketSettings:
    limit = settings.trades
    if limit is not None:
        count = len(settings.ports)
        limit = limit // count + (place < limit % count)
    return MarketSettings(
        venue=name,
        instruments=listing(name, settings.symbols),
        seed=settings.seed,
        rate=settings.rate,
        start_us=start_us + round(settings.skew_seconds.get(name, 0.0) * 1_000_000),
        time_unit_us=TIME_UNIT_US[name],
        limit=limit,
    )


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Running]:
    """Open the ports and run the engine until the block ends; then write the ledger's end."""
    engine = build(settings)
    runners: list[web.AppRunner] = []
    addresses: dict[str, dict[str, str]] = {}
    task: asyncio.Task[None] | None = None
    try:
        for name, venue in engine.venues.items():
            at = await _open(venue.application(), settings.host, settings.ports[name], runners)
            addresses[name] = {"ws": f"ws://{at}", "rest": f"http://{at}"}
        control = Control(engine).application()
        at = await _open(control, settings.host, settings.control_port, runners)
        addresses["control"] = {"http": f"http://{at}"}
        task = asyncio.create_task(engine.run())
        yield Running(engine, addresses)
    finally:
        engine.stopping.set()
        try:
            if task is not None:
                await task
        finally:
            for venue in engine.venues.values():
                venue.flush()
            engine.ledger.close()
            for venue in engine.venues.values():
                for conn in tuple(venue.connections.values()):
                    conn.close(1001, "simulator stops")
            for runner in runners:
                await runner.cleanup()


async def _open(
    application: web.Application, host: str, port: int, runners: list[web.AppRunner]
) -> str:
    listener = socket.create_server((host, port), backlog=512)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    runners.append(runner)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"
