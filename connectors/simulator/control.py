"""Control over HTTP: watch a run, break things, stop it.

``GET /state`` · ``GET /book`` ``?exchange=&symbol=`` with ``&sequence=`` (the venue's update id) or
``&time=`` (µs that a frame carried): the whole book as it was told then · ``POST /faults`` (a fault
as JSON, see ``faults.py``) · ``POST /private`` (see ``binance_private.py``) · ``POST /pause`` ·
``POST /resume`` · ``POST /speed`` ``{"speed": 5}`` · ``POST /stop``. Answers are JSON; what is
wrong with a request is said with status 400.
"""

import msgspec
from aiohttp import web

from connectors.simulator.binance_protocol import BinanceProtocol
from connectors.simulator.engine import Engine
from connectors.simulator.faults import Fault
from connectors.simulator.venue import Venue


class _Speed(msgspec.Struct, forbid_unknown_fields=True):
    speed: float


class _Private(msgspec.Struct, forbid_unknown_fields=True):
    exchange: str
    event: dict[str, object]


class Control:
    """The control server's handlers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def application(self) -> web.Application:
        """All paths."""
        application = web.Application()
        application.router.add_get("/state", self.state)
        application.router.add_get("/book", self.book)
        application.router.add_post("/faults", self.faults)
        application.router.add_post("/private", self.private)
        application.router.add_post("/pause", self.pause)
        application.router.add_post("/resume", self.resume)
        application.router.add_post("/speed", self.speed)
        application.router.add_post("/stop", self.stop)
        return application

    async def state(self, request: web.Request) -> web.Response:
        """Where the run stands."""
        return web.json_response(self._engine.state())

    async def book(self, request: web.Request) -> web.Response:
        """A book that was told, levels as the venue writes them; 404 where it is not known."""
        query = request.query
        venue = self._engine.venues.get(query.get("exchange", ""))
        symbol = query.get("symbol", "")
        if not isinstance(venue, Venue) or symbol not in venue.book_logs:
            return web.json_response({"error": "no book of this exchange and symbol"}, status=404)
        try:
            sequence, moment = (
                int(query[name]) if name in query else None for name in ("sequence", "time")
            )
        except ValueError:
            return web.json_response({"error": "sequence and time are integers"}, status=400)
        log = venue.book_logs[symbol]
        point = log.find(sequence, moment)
        if point is None:
            return web.json_response({"error": "no such book was told"}, status=404)
        instrument = next(
            one.instrument for one in venue.market.symbols if one.instrument.symbol == symbol
        )
        bids, asks = (
            [venue.texts(instrument, *level) for level in side] for side in log.levels(point)
        )
        return web.json_response(
            {"sequence": point.update_id, "time_us": point.time_us, "bids": bids, "asks": asks}
        )

    async def faults(self, request: web.Request) -> web.Response:
        """Start a fault now."""
        try:
            fault = msgspec.json.decode(await request.read(), type=Fault)
        except msgspec.DecodeError as error:
            return web.json_response({"error": str(error)}, status=400)
        if fault.exchange not in self._engine.venues:
            known = ", ".join(self._engine.venues)
            return web.json_response(
                {"error": f"exchange {fault.exchange!r} does not run here (running: {known})"},
                status=400,
            )
        try:
            self._engine.start_fault(fault)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"started": fault.kind, "now_us": self._engine.clock.now_us})

    async def private(self, request: web.Request) -> web.Response:
        """Send an event to the subscribers of Binance's user data stream."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=_Private)
        except msgspec.DecodeError as error:
            return web.json_response({"error": str(error)}, status=400)
        venue = self._engine.venues.get(wanted.exchange)
        if not isinstance(venue, BinanceProtocol):
            return web.json_response({"error": "only binance has a private channel"}, status=400)
        receivers = venue.private.send(wanted.event, venue.market_now_us() // 1000)
        return web.json_response({"receivers": receivers})

    async def pause(self, request: web.Request) -> web.Response:
        """Time stands; connections stay and are pinged. What has happened is told before."""
        self._engine.clock.paused = True
        for venue in self._engine.venues.values():
            venue.send_pending()
        return await self.state(request)

    async def resume(self, request: web.Request) -> web.Response:
        """Time goes on from where it stood."""
        self._engine.clock.resume()
        return await self.state(request)

    async def speed(self, request: web.Request) -> web.Response:
        """Run at another speed; ends a catch-up."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=_Speed).speed
        except msgspec.DecodeError as error:
            return web.json_response({"error": str(error)}, status=400)
        if wanted <= 0:
            return web.json_response({"error": "speed must be above 0"}, status=400)
        self._engine.clock.speed = wanted
        self._engine.clock.catch_up = None
        return await self.state(request)

    async def stop(self, request: web.Request) -> web.Response:
        """End the run cleanly."""
        self._engine.stopping.set()
        return web.json_response({"stopping": True})
