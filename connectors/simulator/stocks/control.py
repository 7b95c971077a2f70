"""Control over HTTP, under ``/control/``: watch, break, and move the simulated market.

| request | meaning |
|---|---|
| GET state | the counters of ``ledger.py``, the day, the faults |
| GET bars/SYMBOL | what a correct client must have stored; ``?start=``, ``?end=`` narrow it |
| GET listing | the issues as they stand in the list |
| GET, POST, DELETE faults | see; start one or a list (``faults.py``); forget all |
| POST corporate-action | ``{"symbol", "date", "ratio": 2 or [3, 2]}``: a split |
| POST listing | ``{"delist": [codes], "add": [codes], "rows", "duplicates", "day", …}`` |
| POST clock | ``{"today": date}``; keep to the past: clients that ask up to now get no more |
| POST reset | counters, market and clock as at the start, no faults; ``{"only": "counters"}`` |

Answers are JSON. What is wrong with a request is said with status 400, an unknown symbol with 404.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from fractions import Fraction
from typing import Any, Literal

import msgspec
from aiohttp import web

from connectors.simulator.stocks.adjusted import Series, window
from connectors.simulator.stocks.answering import Answering
from connectors.simulator.stocks.faults import Fault, symbol_of
from connectors.simulator.stocks.jpx import Knobs, Listing, listing_day

Handler = Callable[[web.Request], Awaitable[web.Response]]


class _Action(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    date: date
    ratio: float | tuple[int, int]


class _Changes(msgspec.Struct, forbid_unknown_fields=True):
    delist: list[str] = []
    add: list[str] = []
    rows: int | None = None
    duplicates: int = 0
    day: date | None = None
    second_day: date | None = None
    unknown_segment: bool = False


class _Clock(msgspec.Struct, forbid_unknown_fields=True):
    today: date


class _Reset(msgspec.Struct, forbid_unknown_fields=True):
    only: Literal["counters"] | None = None


class Control:
    """The handlers."""

    def __init__(self, answering: Answering, listing: Listing) -> None:
        self._answering = answering
        self._world = answering.world
        self._faults = answering.faults
        self._ledger = answering.ledger
        self._listing = listing

    def add_routes(self, application: web.Application) -> None:
        """All paths."""
        get, post = application.router.add_get, application.router.add_post
        get("/control/state", _checked(self.state))
        get("/control/bars/{symbol}", _checked(self.bars))
        get("/control/listing", _checked(self.listed))
        get("/control/faults", _checked(self.faults))
        post("/control/faults", _checked(self.start_faults))
        application.router.add_delete("/control/faults", _checked(self.clear_faults))
        post("/control/corporate-action", _checked(self.corporate_action))
        post("/control/listing", _checked(self.change_listing))
        post("/control/clock", _checked(self.clock))
        post("/control/reset", _checked(self.reset))

    async def state(self, request: web.Request) -> web.Response:
        """The counters."""
        world = self._world
        state = self._ledger.state() | {
            "today": world.today,
            "since": world.since,
            "last_session": world.calendar.last_until(world.today),
            "seed": world.seed,
            "symbols": len(world.issues),
            "ordinary": sum(issue.ordinary for issue in world.issues.values()),
            "listing_day": self._listing.knobs.day or listing_day(world),
            "faults": self._faults.state(),
        }
        return _json(state)

    async def bars(self, request: web.Request) -> web.Response:
        """The truth about a symbol, with the field names that everybody uses."""
        symbol = symbol_of(request.match_info["symbol"].upper())
        first = date.fromisoformat(request.query.get("start", "0001-01-01"))
        last = date.fromisoformat(request.query.get("end", "9999-12-31"))
        series = window(self._world.series(symbol), first, last)
        return _json({"symbol": symbol, "currency": "JPY", "bars": truth(series)})

    async def listed(self, request: web.Request) -> web.Response:
        """Issues by code."""
        found = [
            {
                "code": issue.code,
                "symbol": issue.symbol,
                "segment": issue.segment.name,
                "ordinary": issue.ordinary,
                "listed": issue.listed,
                "name": issue.japanese,
            }
            for issue in self._world.listed()
        ]
        return _json({"day": self._listing.knobs.day or listing_day(self._world), "issues": found})

    async def faults(self, request: web.Request) -> web.Response:
        """What was ordered, with its hits."""
        return _json(self._faults.state())

    async def start_faults(self, request: web.Request) -> web.Response:
        """Start one or several."""
        wanted = await _body(request, Fault | list[Fault])
        for fault in [wanted] if isinstance(wanted, Fault) else wanted:
            self._answering.order(fault)
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Forget all."""
        self._faults.clear()
        return await self.faults(request)

    async def corporate_action(self, request: web.Request) -> web.Response:
        """A split."""
        action = await _body(request, _Action)
        ratio = action.ratio
        if isinstance(ratio, (int, float)):
            exact = Fraction(ratio).limit_denominator(1000)
            ratio = (exact.numerator, exact.denominator)
        symbol = symbol_of(action.symbol)
        self._world.split(symbol, action.date, *ratio)
        return _json({"symbol": symbol, "date": action.date, "ratio": ratio})

    async def change_listing(self, request: web.Request) -> web.Response:
        """Issues come and go; the file is made in another way. What is not named is as usual."""
        changes = await _body(request, _Changes)
        for code in changes.delist:
            self._world.delist(code)
        for code in changes.add:
            self._world.add(code)
        self._listing.changed(
            Knobs(
                rows=changes.rows,
                duplicates=changes.duplicates,
                day=changes.day,
                second_day=changes.second_day,
                unknown_segment=changes.unknown_segment,
            )
        )
        return await self.listed(request)

    async def clock(self, request: web.Request) -> web.Response:
        """Another day."""
        self._world.set_today((await _body(request, _Clock)).today)
        self._listing.changed()
        return await self.state(request)

    async def reset(self, request: web.Request) -> web.Response:
        """Begin again."""
        wanted = await _body(request, _Reset) if request.can_read_body else _Reset()
        self._ledger.reset()
        if wanted.only is None:
            self._faults.clear()
            self._world.reset()
            self._listing.changed(Knobs())
        return await self.state(request)


def truth(series: Series) -> list[dict[str, Any]]:
    """Bars as the fields ``trade_date, open, high, low, close, adj_close, volume, dividends,
    splits``, oldest first."""
    dividends = {one.day: one.amount for one in series.dividends}
    splits: dict[date, float] = {}
    for split in series.splits:
        splits[split.day] = splits.get(split.day, 1.0) * split.ratio
    names = ("trade_date", "open", "high", "low", "close", "adj_close", "volume")
    return [
        dict(zip(names, row, strict=True))
        | {"dividends": dividends.get(row[0], 0.0), "splits": splits.get(row[0], 0.0)}
        for row in zip(*series[:7], strict=True)
    ]


async def _body(request: web.Request, kind: Any) -> Any:
    return msgspec.json.decode(await request.read(), type=kind)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )


def _checked(handler: Handler) -> Handler:
    """What is wrong with a request is said instead of status 500."""

    async def checked(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except KeyError as error:
            return _json({"error": f"no symbol {error.args[0]}"}, 404)
        except (ValueError, msgspec.DecodeError) as error:
            return _json({"error": str(error)}, 400)

    return checked
