"""A million mutated and random frames per venue: none may crash a parser or go unaccounted.

    python -m tests.benchmarks.fuzz [--frames 1000000] [--venue kraken] [--seed 1]

Frames are the samples of the contract test and, where they are at hand, the recordings. A failure
prints the seed and the frame. Not run by `make test`, which has 20,000 frames of the same kind.
"""

import argparse
import random
import sys
from collections import Counter
from time import process_time

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges import registry
from connectors.exchanges.base import Control, DeadLetter
from connectors.kafka.serde import encode
from tests.connectors.exchanges.mutate import mutated
from tests.connectors.exchanges.sample import NOW, load
from tests.recordings import FOLDER, frames

CONNECTION = 10_000
"""Frames after which a new connection is made."""
LARGEST = 4_000
"""Bytes of the recorded frames taken: larger ones only take longer."""


def known(venue: str) -> list[bytes]:
    """Return the frames to change."""
    sample = [frame for frame, _ in load(venue).frames]
    if not (FOLDER / f"{venue}.jsonl.zst").is_file():
        return sample
    real = [frame for frame, _ in frames(venue) if len(frame) <= LARGEST]
    return sample * max(1, len(real) // len(sample) // 2) + real


def run(venue: str, count: int, seed: int) -> Counter[str]:
    """Feed ``count`` frames; return the items by kind. Raises what a parser raises."""
    rng, found, sample = random.Random(seed), known(venue), load(venue)
    kinds: Counter[str] = Counter()
    for number in range(count):
        if number % CONNECTION == 0:
            natives = sample.natives if number // CONNECTION % 2 else ()
            parser = sample.parser(natives)
            if not natives:
                parser.subscribe_frames(sample.subscriptions())
        frame = mutated(rng, found)
        try:
            items = parser.parse(frame, NOW)
            if not items:
                raise AssertionError("not accounted for")
            for item in items:
                kinds[type(item).__name__] += 1
                if isinstance(item, (Trade, Quote, BookUpdate, Candle)):
                    encode(item)
                elif not isinstance(item, (DeadLetter, Control)):
                    raise AssertionError(f"no item: {item!r}")
        except BaseException:
            print(f"{venue}: seed {seed}, frame {number}: {frame!r}", file=sys.stderr)
            raise
    return kinds


def main() -> None:
    """Run the venues asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--venue", action="append", choices=list(registry.VENUES))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for venue in options.venue or registry.VENUES:
        start = process_time()
        kinds = run(venue, options.frames, options.seed)
        counted = " ".join(f"{name}={count}" for name, count in kinds.most_common())
        print(f"{venue}: {options.frames} frames in {process_time() - start:.0f} s: {counted}")


if __name__ == "__main__":
    main()
