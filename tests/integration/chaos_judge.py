"""Was anything lost, doubled, wrong or untold? The ledger of the exchange knows."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from connectors.books import BookGap, OrderBook
from connectors.events import BookUpdate
from connectors.kafka.serde import decode
from tests.connectors.feed.running import Written
from tests.integration.chaos_plan import REST_DOWN, SILENCE
from tests.integration.chaos_world import Deed

Json = dict[str, Any]
Book = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]
SECOND = 1_000_000
COMPARED = 25
"""Books compared per symbol, beside the last one."""

SOON = 12 * SECOND
"""Within which a fault is told: a dead connection is found after `SILENCE`, then the next try."""

TOLD_BY = {
    "disconnect": ("disconnected",),
    "half_open": ("stale", "disconnected"),
    "silence": ("stale", "disconnected"),
    "shutdown": ("disconnected",),
    "book_gap": ("resync",),
    "checksum": ("resync",),
    "malformed": ("dead_letter",),
    "truncate": ("dead_letter",),
}
"""Kinds of status by kind of fault; the others lose nothing and are not told."""
ENDING = ("disconnect", "half_open", "silence", "shutdown")
"""Faults that cost a connection."""
WHOLE = 6.0
"""Seconds after its start or a new connection in which a feed is whole: filled, books joined."""
PEACE = {
    "disconnect": (0.0, 2.0),
    "shutdown": (0.0, 5.0),
    "half_open": (WHOLE, SILENCE + 2),
    "silence": (WHOLE, SILENCE + 2),
    "book_gap": (WHOLE, 2.0),
    "checksum": (WHOLE, 2.0),
    "malformed": (WHOLE, 2.0),
    "truncate": (WHOLE, 2.0),
}
"""Seconds before and after a fault in which nothing else may end the connection; 0 before: the
ledger says that there was one."""
ALARMS = ("disconnected", "stale", "gap", "resync", "dead_letter", "skew")


class Evidence(NamedTuple):
    """What one venue's topics hold, and the ledger's lines about it."""

    venue: str
    trades: list[Json]
    """Trade events in the order of the log."""
    statuses: list[Json]
    ledger: list[Json]
    deeds: list[Deed]
    """What the run did to this venue's connector and to the broker."""

    def lines(self, kind: str) -> Iterator[Json]:
        """Lines of the ledger: ``trade`` or ``fault``."""
        return (line for line in self.ledger if line["t"] == kind)

    def told(self, kind: str) -> list[Json]:
        """Statuses of a kind."""
        return [status for status in self.statuses if status["kind"] == kind]


def read_ledger(path: Path) -> dict[str, list[Json]]:
    """Its lines by venue, without those about what was sent."""
    by_venue: dict[str, list[Json]] = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith('{"t":"sent"'):
                entry = json.loads(line)
                by_venue[entry.get("exchange", "")].append(entry)
    return by_venue


def told_gaps(evidence: Evidence) -> dict[str, list[tuple[int, int]]]:
    """Ranges of trade ids per symbol; an open gap ends where its recovery says so."""
    ends = {(s["symbol"], s["from_id"]): s["to_id"] for s in evidence.told("recovered")}
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for gap in evidence.told("gap"):
        end = gap["to_id"]
        if end is None:
            # Open, and never ended: whatever follows may be missing.
            end = ends.get((gap["symbol"], gap["from_id"]), 1 << 62)
        ranges[gap["symbol"]].append((gap["from_id"], end))
    return ranges


def judge_trades(evidence: Evidence) -> list[str]:
    """Each trade of the ledger is in the log once, as it was, or inside a told gap."""
    venue = evidence.venue
    made = {(line["symbol"], line["trade_seq"]): line for line in evidence.lines("trade")}
    counts = Counter((t["symbol"], t["trade_seq"]) for t in evidence.trades)
    problems = [
        f"{venue}: {key} is in the log {times} times" for key, times in counts.items() if times > 1
    ]
    for trade in evidence.trades:
        key = trade["symbol"], trade["trade_seq"]
        truth = made.get(key)
        if truth is None or facts(truth) != facts(trade):
            problems.append(f"{venue}: {key} in the log differs from the ledger: {trade} {truth}")
    gaps = told_gaps(evidence)
    missing = [key for key in made if key not in counts]
    untold = [
        (symbol, number)
        for symbol, number in missing
        if not any(low <= number <= high for low, high in gaps[symbol])
    ]
    problems += [f"{venue}: {key} is neither in the log nor in a gap" for key in untold]
    if missing and not any(line["kind"] == "rest_down" for line in evidence.lines("fault")):
        problems.append(f"{venue}: {len(missing)} trades missing although REST had them all")
    return problems


def facts(trade: Json) -> tuple[object, ...]:
    """What must be equal in the ledger and in the log."""
    return trade["side"], trade["ts_event"], Decimal(trade["price"]), Decimal(trade["size"])


def judge_statuses(evidence: Evidence) -> list[str]:
    """Each fault that the connector lived to see is told, and nothing is told without cause."""
    venue = evidence.venue
    problems = [
        f"{venue}: {kind} was not told after {line}"
        for line in faults_to_tell(evidence)
        for kind in TOLD_BY[line["kind"]]
        if not any(_matches(status, line) for status in evidence.told(kind))
    ]
    causes = [(line["at"], _lasts(line)) for line in evidence.lines("fault")]
    causes += [(deed.begin, deed.end - deed.begin) for deed in evidence.deeds]
    problems += [
        f"{venue}: told without cause: {status}"
        for status in evidence.statuses
        if status["kind"] in ALARMS
        and "renewed" not in status["cause"]
        and "the connector ends" not in status["cause"]
        and not any(at - SECOND <= status["ts_event"] <= at + n + SOON for at, n in causes)
    ]
    return problems


def faults_to_tell(evidence: Evidence) -> list[Json]:
    """Faults that hit a connector in peace: nothing else was on its way to hide them."""
    kills = list(_kills(evidence))
    ends = [
        line["at"]
        for line in evidence.lines("fault")
        if line["kind"] in ENDING and line.get("phase") == "start"
    ]
    renewals = [s["ts_event"] for s in evidence.told("disconnected") if "renewed" in s["cause"]]
    found = []
    for line in filter(_to_be_told, evidence.lines("fault")):
        at = line["at"]
        before, after = (round(seconds * SECOND) for seconds in PEACE[line["kind"]])
        others = ends + renewals if line["kind"] in ("half_open", "silence") else ends
        peaceful = not any(
            begin <= at + after and at <= end + max(before, 2 * SECOND) for begin, end in kills
        )
        if before:
            peaceful &= not any(at - before <= end <= at + after and end != at for end in others)
        if peaceful:
            found.append(line)
    return found


def _kills(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """From when to when a connector could tell nothing.

    What waits for a broker dies with it; it lives again when it has subscribed.
    """
    outages = [deed for deed in evidence.deeds if deed.target == "broker"]
    subscribed = [status["ts_event"] for status in evidence.told("subscribed")]
    for kill in evidence.deeds:
        if kill.target != "broker":
            waited = [one.begin for one in outages if one.begin <= kill.begin <= one.end + SECOND]
            end = min((when for when in subscribed if when > kill.begin), default=1 << 62)
            yield min([kill.begin, *waited]) - SECOND, max(kill.end, end)


def _to_be_told(line: Json) -> bool:
    kind = line["kind"]
    if kind not in TOLD_BY:
        return False
    if kind in ("book_gap", "checksum"):
        return "sequence" in line
    if kind in ("malformed", "truncate"):
        return "ids" in line
    if kind == "silence" and line.get("seconds", 0.0) <= SILENCE:
        return False
    return line.get("phase") == "start" and line["connections"] > 0


def _matches(status: Json, line: Json) -> bool:
    symbol = line.get("symbol", "*")
    about = "*" in (symbol, status["symbol"]) or symbol == status["symbol"]
    # One report in 10 s per reason and symbol; a book that waits for its snapshot breaks no more.
    early = {"dead_letter": 11 * SECOND, "resync": round(WHOLE * SECOND)}.get(
        status["kind"], SECOND
    )
    return about and line["at"] - early <= status["ts_event"] <= line["at"] + SOON


def _lasts(line: Json) -> int:
    """For how long a fault may be felt, µs."""
    seconds = line.get("seconds") or 0.0
    if line["kind"] == "rest_down":
        seconds = REST_DOWN + 10  # what it cost is asked for again, then told
    return round((seconds + line.get("delay", 0.0)) * SECOND)


def judge_books(
    venue: str,
    records: Iterable[Written],
    truth: Callable[[BookUpdate], Book | None],
    symbols: Collection[str] = (),
) -> list[str]:
    """Each book that a reader builds from the topic is the exchange's at the same moment.

    ``symbols`` are those that must have a book.
    """
    updates = [one for one in map(_book_update, records) if one is not None]
    places: dict[str, list[int]] = defaultdict(list)
    for place, update in enumerate(updates):
        places[update.symbol].append(place)
    compared = {
        place
        for mine in places.values()
        for place in [*mine[:: max(1, len(mine) // COMPARED)], mine[-1]]
    }
    books: dict[str, OrderBook] = defaultdict(OrderBook)
    problems = [f"{venue}: {one} has no book" for one in symbols if one not in places]
    for place, update in enumerate(updates):
        book = books[update.symbol]
        try:
            book.apply(update)
        except BookGap as error:
            problems.append(f"{venue}: {error}")
            continue
        if book.is_crossed:
            problems.append(f"{venue}: {update.symbol} is crossed at {update.sequence}")
        if place in compared:
            problems += _compare(venue, update, book, truth(update))
    return problems


def _book_update(record: Written) -> BookUpdate | None:
    event = decode(record.value)
    return event if isinstance(event, BookUpdate) else None


def _compare(venue: str, update: BookUpdate, book: OrderBook, truth: Book | None) -> list[str]:
    where = f"{venue}: {update.symbol} at {update.sequence}, {update.ts_event}"
    if truth is None:
        return [f"{where}: the exchange knows no such book"]
    problems = []
    for name, ours, theirs in (("bids", book.bids, truth[0]), ("asks", book.asks, truth[1])):
        have = {Decimal(price): Decimal(size) for price, size in ours.items()}
        if have != theirs:
            wrong = {p for p in have.keys() | theirs.keys() if have.get(p) != theirs.get(p)}
            kind = "snapshot" if update.is_snapshot else "update"
            problems.append(f"{where}: {len(wrong)} {name} differ after this {kind}")
    return problems
