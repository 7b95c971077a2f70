"""Joins one symbol's snapshot and updates to a chain that a reader can trust. Pure.

Two kinds of venue:

- the stream brings the snapshot (Coinbase, Kraken, ...): updates before it are of no use;
- REST brings it (Binance): updates are kept until it is there, those that it holds already are
  dropped, and the first one left must overlap it. Its numbers are the venue's own, the same on
  every connection, so an update that was known already is a duplicate and one that overlaps is
  right: levels carry their new size, not a difference.
"""

from typing import NamedTuple

from msgspec.structs import replace

from connectors.events import BookUpdate

MAX_KEPT = 3000
"""Updates kept while REST is asked: five minutes of Binance's."""


class Break(NamedTuple):
    """Why a book is not to be trusted any more."""

    cause: str
    from_id: int | None
    """First sequence that is missing."""
    to_id: int | None
    """Last one."""


class BookSync:
    """Where one symbol's book stands.

        sync = BookSync(by_rest=True)
        sync.take(update)        # None: not to be published
        sync.join(snapshot)      # what is to be published now; None: too old, ask again
        sync.take(update)        # the update to publish

    Args:
        by_rest: The snapshot comes by REST.
        max_kept: How many updates are kept while it is awaited.
    """

    __slots__ = ("_kept", "broken", "by_rest", "live", "max_kept", "sequence")

    def __init__(self, by_rest: bool, max_kept: int = MAX_KEPT) -> None:
        self.by_rest = by_rest
        self.max_kept = max_kept
        self.live = False
        """Joined: what `take` gives continues what was published."""
        self.sequence = 0
        """Of the last update published, where ``live``."""
        self.broken: Break | None = None
        """Set by `take` where the chain broke; the caller takes it out."""
        self._kept: list[BookUpdate] = []

    def take(self, update: BookUpdate) -> BookUpdate | None:
        """Give the update to publish, or None."""
        if update.is_snapshot:
            self.live, self.sequence = True, update.sequence
            self._kept.clear()
            return update
        if not self.live:
            self._keep(update)
            return None
        last = self.sequence
        if update.prev_sequence == last:
            self.sequence = update.sequence
            return update
        if self.by_rest and update.prev_sequence < last:
            if update.sequence <= last:
                return None
            self.sequence = update.sequence
            return replace(update, prev_sequence=last)
        high = update.prev_sequence if update.prev_sequence > last else update.sequence - 1
        cause = f"update after {update.prev_sequence} does not continue {last}"
        self.reset()
        self.broken = Break(cause, last + 1, high if high > last else None)
        self._keep(update)
        return None

    def _keep(self, update: BookUpdate) -> None:
        if not self.by_rest:
            return
        if self._kept and update.sequence <= self._kept[-1].sequence:
            return
        if self._kept and update.prev_sequence > self._kept[-1].sequence:
            # A hole in what waits: only a snapshot from behind it can be joined.
            self._kept.clear()
        self._kept.append(update)
        if len(self._kept) > self.max_kept:
            del self._kept[0]

    def join(self, snapshot: BookUpdate) -> list[BookUpdate] | None:
        """Join a snapshot of REST and what was kept.

        Gives what is to be published, the snapshot first; None where the snapshot is older than
        the first update kept, so that something between them is missing.
        """
        left = [update for update in self._kept if update.sequence > snapshot.sequence]
        if left and left[0].prev_sequence > snapshot.sequence:
            return None
        joined = [self.take(snapshot), *(self.take(update) for update in left)]
        return [update for update in joined if update is not None]

    def reset(self) -> None:
        """Trust nothing until the next snapshot."""
        self.live = False
        self._kept.clear()
