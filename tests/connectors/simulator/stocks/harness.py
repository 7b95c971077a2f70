"""A local Yahoo in this process and a plain HTTP client for it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, NamedTuple

import aiohttp

from connectors.simulator.stocks.server import Running, Settings, serve
from connectors.simulator.stocks.sessions import Calendar
from connectors.simulator.stocks.world import World

TODAY = date(2026, 11, 20)
"""A Friday, with a holiday on the Monday after."""
EVENTS = "div,splits,capitalGains"


class Answer(NamedTuple):
    """A whole answer, its body as text."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body decoded."""
        return json.loads(self.text)


class Local:
    """A running server and a client session."""

    def __init__(self, running: Running, http: aiohttp.ClientSession) -> None:
        self.running = running
        self.http = http

    async def get(self, path: str, **params: str) -> Answer:
        """GET a path of the server."""
        async with self.http.get(self.running.url + path, params=params) as response:
            return Answer(response.status, dict(response.headers), await response.text())

    async def chart(self, symbol: str = "7203.T", **params: str) -> Answer:
        """The daily bars of a symbol: by default five days with their events."""
        query = {"range": "5d", "interval": "1d", "events": EVENTS, **params}
        if "period1" in query:
            del query["range"]
        return await self.get(f"/v8/finance/chart/{symbol}", **query)

    async def control(self, method: str, path: str, body: object = None) -> Answer:
        """A request to /control."""
        url = f"{self.running.url}/control/{path}"
        async with self.http.request(method, url, json=body) as response:
            return Answer(response.status, dict(response.headers), await response.text())

    async def fault(self, kind: str, **details: object) -> None:
        """Start a fault."""
        answer = await self.control("POST", "faults", {"kind": kind, **details})
        assert answer.status == 200, answer.text

    async def state(self) -> Any:
        """The counters."""
        return (await self.control("GET", "state")).json


@asynccontextmanager
async def local(**settings: Any) -> AsyncIterator[Local]:
    """A server on a free port, stopped at the end."""
    options: dict[str, Any] = {"symbols": 5, "today": TODAY, **settings}
    async with serve(Settings(**options)) as running, aiohttp.ClientSession() as http:
        yield Local(running, http)


def world(**arguments: Any) -> World:
    """A market without a server."""
    options: dict[str, Any] = {"symbols": 5, "seed": 7, "years": 2, "today": TODAY, **arguments}
    return World(calendar=Calendar(), **options)
