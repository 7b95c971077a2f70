"""Fewer quotes and book updates with the same end state, for when Kafka is slow.

Pure. A reader who applies what comes out has, at each record, the book or quote that the venue
had at that moment; only moments in between are lost, and ``merged`` says how many.
"""

from connectors.events import BookUpdate, Level, Quote


def merge_books(older: BookUpdate, newer: BookUpdate) -> BookUpdate:
    """One update with the effect of both, in this order.

    A newer snapshot replaces everything. Levels of size zero stay in the result: they remove
    a level that the reader may have from before.

    Raises:
        ValueError: Where ``newer`` does not continue ``older`` (and is no snapshot): merging
            would hide a hole from the reader.
    """
    merged = older.merged + newer.merged
    if newer.is_snapshot:
        bids, asks, is_snapshot = newer.bids, newer.asks, True
        prev_sequence = newer.prev_sequence
    else:
        if newer.prev_sequence != older.sequence:
            raise ValueError(
                f"book {newer.symbol}: update after {newer.prev_sequence} does not continue "
                f"{older.sequence}"
            )
        bids = _merge_side(older.bids, newer.bids)
        asks = _merge_side(older.asks, newer.asks)
        is_snapshot = older.is_snapshot
        prev_sequence = older.prev_sequence
    return BookUpdate(
        exchange=newer.exchange,
        symbol=newer.symbol,
        native_symbol=newer.native_symbol,
        ts_event=newer.ts_event,
        ts_recv=newer.ts_recv,
        source=newer.source,
        ts_source=newer.ts_source,
        schema_version=newer.schema_version,
        is_snapshot=is_snapshot,
        bids=bids,
        asks=asks,
        sequence=newer.sequence,
        prev_sequence=prev_sequence,
        merged=merged,
    )


def _merge_side(older: list[Level], newer: list[Level]) -> list[Level]:
    """Last size per price; prices keep the order in which they first came."""
    sizes = dict(older)
    sizes.update(newer)
    return list(sizes.items())


class Conflator:
    """Holds the latest quote and the merged book updates of each symbol until there is room.

    Bounded by the number of symbols, and per book by the number of its price levels.
    """

    def __init__(self) -> None:
        self._quotes: dict[str, Quote] = {}
        self._books: dict[str, list[BookUpdate]] = {}
        self.count = 0
        """How many events were swallowed: replaced by, or merged into, a later one."""

    def add(self, event: Quote | BookUpdate) -> None:
        """Take one event in place of publishing it."""
        if isinstance(event, Quote):
            if event.symbol in self._quotes:
                self.count += 1
            self._quotes[event.symbol] = event
            return
        waiting = self._books.setdefault(event.symbol, [])
        if not waiting:
            waiting.append(event)
        elif event.is_snapshot:
            self.count += len(waiting)
            waiting[:] = [merge_books(waiting[-1], event)]
        elif event.prev_sequence == waiting[-1].sequence:
            self.count += 1
            waiting[-1] = merge_books(waiting[-1], event)
        else:
            # The chain is broken already: keep the break visible, in two updates.
            waiting.append(event)
            if len(waiting) > 2:
                self.count += 1
                del waiting[1]

    def take(self) -> list[Quote | BookUpdate]:
        """Everything held, books first; nothing is held afterwards."""
        events: list[Quote | BookUpdate] = [e for waiting in self._books.values() for e in waiting]
        events.extend(self._quotes.values())
        self._books.clear()
        self._quotes.clear()
        return events

    def __len__(self) -> int:
        """How many events are held."""
        return len(self._quotes) + sum(len(waiting) for waiting in self._books.values())
