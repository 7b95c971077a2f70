"""Compares what was stored with what the local Yahoo says it served. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from docker.batch.upstream import Bar

TOLERANCE = 1e-9
"""Relative: prices go through text and doubles."""
NAMED = 10


@dataclass
class Verdict:
    """What the comparison found. Symbols are counted once, however often they were served."""

    served: int = 0
    stored: int = 0
    bars_served: int = 0
    bars_stored: int = 0
    differing: list[str] = field(default_factory=list)
    """Served symbols whose stored bars are not those that were served."""
    not_completed: list[str] = field(default_factory=list)
    """Served symbols that the batch does not call completed."""
    not_served: list[str] = field(default_factory=list)
    """Symbols that the batch calls completed, or has bars of, and that were never served."""

    @property
    def equal(self) -> bool:
        """Something was served, and all of it is there and nothing else."""
        return self.served > 0 and not (self.differing or self.not_completed or self.not_served)

    def line(self) -> str:
        """One line that says it all."""
        faults = [
            f"{len(symbols)} {text} ({', '.join(symbols[:NAMED])})"
            for symbols, text in (
                (self.differing, "differ"),
                (self.not_completed, "served but not completed"),
                (self.not_served, "stored but never served"),
            )
            if symbols
        ]
        return (
            f"{'EQUAL' if self.equal else 'NOT EQUAL'}: {self.served:,} symbols served, "
            f"{self.stored:,} stored; {self.bars_served:,} bars served, {self.bars_stored:,} stored"
            + "".join(f"; {fault}" for fault in faults)
        )


def compare(
    served: Iterable[str],
    completed: set[str],
    stored: Iterable[tuple[str, Sequence[Bar]]],
    truth: Callable[[str], Sequence[Bar]],
) -> Verdict:
    """Go through the stored bars by symbol and ask the truth of each served one.

    `served` are the symbols that got a complete answer, `completed` those that the batch says it
    has completed with data.
    """
    wanted = set(served)
    verdict = Verdict(
        served=len(wanted),
        not_completed=sorted(wanted - completed),
        not_served=sorted(completed - wanted),
    )
    seen = set()
    for symbol, bars in stored:
        seen.add(symbol)
        verdict.stored += 1
        verdict.bars_stored += len(bars)
        if symbol not in wanted:
            if symbol not in completed:
                verdict.not_served.append(symbol)
            continue
        expected = truth(symbol)
        verdict.bars_served += len(expected)
        if not same(expected, bars):
            verdict.differing.append(symbol)
    for symbol in sorted(wanted - seen):
        expected = truth(symbol)
        verdict.bars_served += len(expected)
        if expected:
            verdict.differing.append(symbol)
    return verdict


def same(expected: Sequence[Bar], found: Sequence[Bar]) -> bool:
    """Whether both have the same days and volumes, and prices that are equal as doubles go."""
    return len(expected) == len(found) and all(map(same_bar, expected, found))


def same_bar(expected: Bar, found: Bar) -> bool:
    """Whether two bars are equal; a price that is missing in both is equal too."""
    if expected[0] != found[0]:
        return False
    return all(
        ours is theirs
        if ours is None or theirs is None
        else math.isclose(ours, theirs, rel_tol=TOLERANCE)
        for ours, theirs in zip(expected[1:], found[1:], strict=True)
    )
