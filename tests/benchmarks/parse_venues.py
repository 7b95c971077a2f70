"""Parse path of every venue and channel: frame to event to record value, on one core.

    python -m tests.benchmarks.parse_venues

``bare`` decodes each frame into plain objects with msgspec and encodes the finished event: no
reading, no checks. ``ours`` is ``parse`` and ``encode``, as the feed does it. Both in turns, best
CPU time of each. Frames come from the recordings where they are at hand (real variety; marked *),
otherwise from the contract test's samples with other digits in each. `tests.benchmarks.parse`
compares Binance with typed decoders.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from time import process_time
from typing import NamedTuple

import msgspec

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges import registry
from connectors.exchanges.kraken_book import KrakenBook
from connectors.kafka.serde import encode
from tests.connectors.exchanges.sample import NOW, load
from tests.connectors.exchanges.samples.kraken import ASKS, BIDS, CHECKSUM, book
from tests.recordings import FOLDER, frames

FRAMES = 4_000
KINDS: dict[type, str] = {Trade: "trades", Quote: "quotes", BookUpdate: "books", Candle: "candles"}
_DIGITS = re.compile(rb'(?<=[0-9]\.)[0-9]+(?=[",}Z])')


def _kraken_books(rng: random.Random) -> Iterator[bytes]:
    """A true chain: one level of 200 changes with every frame, and the checksum is right."""
    copy = KrakenBook(100, "0.1", "0.00000001")
    sides = [
        [(p, s) for p, s in (level.split() for level in text.split("|"))] for text in (BIDS, ASKS)
    ]
    copy.apply(*sides)
    yield book("snapshot", BIDS, ASKS, CHECKSUM)
    for _ in range(FRAMES):
        price, size = f"{45284 - rng.randrange(100) / 10:.1f}", f"{rng.random():.8f}"
        copy.apply([(price, size)], [])
        yield book("update", f"{price} {size}", "", copy.checksum())


def _varied(frame: bytes, rng: random.Random) -> bytes:
    return _DIGITS.sub(lambda m: b"%0*d" % (len(m[0]), rng.randrange(1, 10 ** len(m[0]))), frame)


class Frames(NamedTuple):
    """Frames of one channel, each with its receipt, and the markets they are of."""

    frames: list[tuple[bytes, int]]
    natives: tuple[str, ...]


def by_channel(venue: str) -> dict[str, Frames]:
    """Return the frames of each channel."""
    sample, rng = load(venue), random.Random(1)
    recorded: dict[str, list[tuple[bytes, int]]] = defaultdict(list)
    if (FOLDER / f"{venue}.jsonl.zst").is_file() and sample.natives:
        parser = sample.parser(sample.natives)
        for frame, at in frames(venue):
            for kind in {KINDS[type(i)] for i in parser.parse(frame, at) if type(i) in KINDS}:
                recorded[kind].append((frame, at))
    found = {kind: Frames(some, sample.natives) for kind, some in recorded.items()}
    for frame, _ in sample.frames:
        kinds = {KINDS[type(i)] for i in sample.parser().parse(frame, NOW) if type(i) in KINDS}
        for kind in kinds - found.keys():
            found[kind] = Frames([(_varied(frame, rng), NOW) for _ in range(FRAMES)], ())
    if venue == "kraken":
        found["books"] = Frames([(frame, NOW) for frame in _kraken_books(rng)], ())
    return {
        kind: Frames((one.frames * (FRAMES // len(one.frames) + 1))[:FRAMES], one.natives)
        for kind, one in found.items()
    }


def measure(venue: str, kind: str, some: Frames, turns: int) -> tuple[float, float]:
    """Return frames per second of bare and ours."""
    decode, encoder = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    sample = load(venue)
    parser = sample.parser(some.natives)
    finished = [
        [item for item in parser.parse(frame, at) if type(item) in KINDS]
        for frame, at in some.frames
    ]
    if not all(finished):
        raise RuntimeError(f"the {kind} frames of {venue} are not all events")
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        parser = sample.parser(some.natives)
        start = process_time()
        for (frame, _), items in zip(some.frames, finished, strict=True):
            decode(frame)
            for item in items:
                encoder(item)
        middle = process_time()
        for frame, at in some.frames:
            for item in parser.parse(frame, at):
                if type(item) in KINDS:
                    encode(item)
        best = [min(best[0], middle - start), min(best[1], process_time() - middle)]
    return len(some.frames) / best[0], len(some.frames) / best[1]


def run(turns: int = 7) -> dict[str, float]:
    """Print the table; return frames/s by venue and channel."""
    results: dict[str, float] = {}
    print(f"{'venue':10}{'channel':10}{'bytes':>8}{'bare/s':>12}{'ours/s':>12}{'of bare':>9}")
    for venue in registry.VENUES:
        for kind, some in sorted(by_channel(venue).items()):
            bare, ours = measure(venue, kind, some, turns)
            size = sum(len(frame) for frame, _ in some.frames) // len(some.frames)
            name = kind + "*" * bool(some.natives)
            rates = f"{bare:12,.0f}{ours:12,.0f}{ours / bare:9.2f}"
            print(f"{venue:10}{name:10}{size:8}{rates}")
            results[f"parse_{venue}_{kind}_per_s"] = ours
    return results


if __name__ == "__main__":
    run()
