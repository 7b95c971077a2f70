"""How every request is answered: counted, perhaps broken by a fault, and counted as served."""

import asyncio
from collections.abc import Callable
from datetime import date
from time import monotonic
from typing import NamedTuple

from aiohttp import web

from connectors.simulator.stocks import replies, sending
from connectors.simulator.stocks.faults import Fault, Faults
from connectors.simulator.stocks.ledger import Ledger
from connectors.simulator.stocks.replies import Reply
from connectors.simulator.stocks.world import World

SLOW_SECONDS = 5.0


class Made(NamedTuple):
    """What a handler has to say."""

    reply: Reply
    bars: bool = False
    """It is a chart with bars."""
    altered: bool = False
    """A fault had its hand in the bars."""


class Answering:
    """The one way in which requests are answered."""

    def __init__(self, world: World, faults: Faults, ledger: Ledger) -> None:
        self.world = world
        self.faults = faults
        self.ledger = ledger

    def order(self, fault: Fault) -> None:
        """Start a fault; ValueError for a split that cannot be."""
        if fault.kind == "split":
            for symbol in fault.symbols or ():
                self.world.check_split(symbol, self._split_day(fault), *fault.ratio)
        self.faults.start(fault, monotonic(), self.ledger.calls)

    async def answer(
        self,
        request: web.Request,
        kind: str,
        make: Callable[[Fault | None], Made],
        symbol: str | None = None,
    ) -> web.StreamResponse:
        """Say what ``make`` says, or what the fault wants that hits this request.

        ``make`` is given that fault, for kinds that only change its answer.
        """
        calls = self.ledger.calls
        self.ledger.begin(kind, symbol)
        status: int | None = None
        try:
            self._do_splits(calls)
            fault = self.faults.pick(kind, symbol, monotonic(), calls)
            broken = await self._cut_off(request, fault, make)
            if broken is not None:
                return broken
            made = _made(fault, make)
            response = await sending.send(request, made.reply)
            status = made.reply.status
            if made.bars and symbol is not None:
                self.ledger.bars(symbol, altered=made.altered)
            return response
        finally:
            self.ledger.end(kind, status)

    async def _cut_off(
        self, request: web.Request, fault: Fault | None, make: Callable[[Fault | None], Made]
    ) -> web.StreamResponse | None:
        """Faults that leave no whole answer; a slow one only waits here."""
        if fault is None:
            return None
        if fault.kind == "hang":
            return await sending.hang(request, fault.delay)
        if fault.kind == "reset":
            return sending.reset(request)
        if fault.kind == "truncated":
            return await sending.truncated(request, make(None).reply)
        if fault.kind == "slow":
            await asyncio.sleep(SLOW_SECONDS if fault.delay is None else fault.delay)
        return None

    def _do_splits(self, calls: int) -> None:
        for fault in self.faults.due_splits(monotonic(), calls):
            for symbol in fault.symbols or ():
                if symbol in self.world.issues:
                    self.world.split(symbol, self._split_day(fault), *fault.ratio)

    def _split_day(self, fault: Fault) -> date:
        return fault.day or self.world.calendar.last_until(self.world.today)


def _made(fault: Fault | None, make: Callable[[Fault | None], Made]) -> Made:
    instead = None if fault is None else replies.of_fault(fault)
    return make(fault) if instead is None else Made(instead)
