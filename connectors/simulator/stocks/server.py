"""A run from its settings: opens the port, answers, ends cleanly."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from aiohttp import web

from connectors.simulator.stocks.answering import Answering
from connectors.simulator.stocks.control import Control
from connectors.simulator.stocks.faults import Fault, Faults
from connectors.simulator.stocks.jpx import Listing
from connectors.simulator.stocks.ledger import Ledger
from connectors.simulator.stocks.sessions import Calendar
from connectors.simulator.stocks.world import World
from connectors.simulator.stocks.yahoo import Yahoo

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is played."""

    port: int = 0
    """0: any free one."""
    symbols: int = 20
    """Ordinary shares; everything else that is listed comes on top, in proportion."""
    seed: int = 7
    years: int = 1
    """How far back the data goes from ``today``."""
    today: date | None = None
    """The last day that is known; None: the day in Tokyo."""
    faults: tuple[Fault, ...] = ()
    calendar: Path | None = None
    """JSON list of the dates that are sessions; None: the exchange's rules."""
    check_crumb: bool = False
    """Prices need cookie and crumb. Yahoo itself asks only for those of quotes."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    """For clients in place of Yahoo's hosts."""
    answering: Answering
    listing: Listing

    @property
    def addresses(self) -> dict[str, str]:
        """Where what is found."""
        return {
            "yahoo": self.url,
            "jpx": f"{self.url}/jpx/data_j.xlsx",
            "jpx_english": f"{self.url}/jpx/data_e.xlsx",
            "control": f"{self.url}/control",
        }


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Running]:
    """Answer until the block ends.

    ValueError for settings that make no sense, OSError where the port cannot be had.
    """
    calendar = Calendar() if settings.calendar is None else Calendar.from_file(settings.calendar)
    world = World(settings.symbols, settings.seed, settings.years, settings.today, calendar)
    answering = Answering(world, Faults(settings.seed), Ledger())
    listing = Listing(answering)
    application = web.Application()
    yahoo = Yahoo(answering, check_crumb=settings.check_crumb)
    yahoo.add_routes(application)
    listing.add_routes(application)
    Control(answering, listing).add_routes(application)
    application.router.add_get("/jpx/{name}", listing.missing, allow_head=False)
    application.router.add_route("*", "/{path:(?!control/).*}", yahoo.other)
    # A handler ends with its client, so that an answer cut off does not count as served.
    runner = web.AppRunner(
        application, access_log=None, shutdown_timeout=0.2, handler_cancellation=True
    )
    listener = socket.create_server((HOST, settings.port), backlog=512)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        for fault in settings.faults:
            answering.order(fault)
        yield Running(f"http://{HOST}:{listener.getsockname()[1]}", answering, listing)
    finally:
        await runner.cleanup()
        listener.close()


@contextmanager
def in_thread(settings: Settings) -> Iterator[Running]:
    """The same for callers without an event loop: the server runs in a thread of its own.

    What it holds may only be touched over HTTP. Errors are those of ``serve``.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="local-yahoo", daemon=True)
    thread.start()
    context = serve(settings)
    try:
        running = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
        try:
            yield running
        finally:
            asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
