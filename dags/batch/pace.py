"""Waiting for one's turn at the source, ready to stop waiting at any moment."""

import time
from collections.abc import Callable

from dags.batch.bucket import Ticket, TokenBucket

SLICE = 0.25
"""How long an interruption may take to be noticed, seconds."""
LOOK_SECONDS = 1.0
"""How often a waiting worker looks whether it is still to work."""


class Halt(Exception):
    """The worker is not to go on: paused, stopped, failed or interrupted."""


def rest(seconds: float, look: Callable[[], None], interrupted: Callable[[], bool]) -> None:
    """Sleep so long; `look` is called each second and may raise. Halt when interrupted."""
    now = time.monotonic()
    end, next_look = now + seconds, now + LOOK_SECONDS
    while now < end:
        if interrupted():
            raise Halt("interrupted")
        if now >= next_look:
            look()
            next_look = now + LOOK_SECONDS
        time.sleep(max(0.0, min(SLICE, end - now)))
        now = time.monotonic()


class Pacer:
    """Holds the token for a worker's next call.

    Args:
        bucket: Shared by all workers.
        interrupted: Whether the worker was told to end.
    """

    def __init__(self, bucket: TokenBucket, interrupted: Callable[[], bool]) -> None:
        self.bucket = bucket
        self.interrupted = interrupted
        self.look: Callable[[], None] = lambda: None
        """Asks whether the worker is still to work; raises Halt if not."""
        self.ticket: Ticket | None = None
        """Of the last call."""
        self._unused = False

    def reserve(self) -> None:
        """Have a token whose call is due. Halt if the worker is not to go on."""
        if self._unused:
            return
        ticket = self._wait_for(self.bucket.take())
        while ticket.wait > SLICE and self.bucket.void(ticket):
            ticket = self._wait_for(self.bucket.take())
        self.ticket = ticket
        self._unused = True

    def throttle(self) -> None:
        """Use the token, or wait for another one: what a source calls before each HTTP call."""
        self.reserve()
        self._unused = False

    def give_back(self) -> None:
        """Return the token if it was not used."""
        if self._unused:
            self._unused = False
            self.bucket.give_back()

    def _wait_for(self, ticket: Ticket) -> Ticket:
        try:
            rest(ticket.wait, self.look, self.interrupted)
        except Halt:
            self.bucket.give_back()
            raise
        return ticket
