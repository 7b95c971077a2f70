"""Found against expected rows, and the difference as an aligned table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flink_jobs.catalog import guess
from flink_jobs.testing.values import shown

Rows = Sequence[Mapping[str, Any]]
MOST = 20
"""Differences shown; the rest is counted."""


def difference(part: str, found: Rows, expected: Rows) -> str:
    """What differs, by the columns expected and in no order; empty if nothing does.

    Each missing row stands above the unexpected row that is most like it; the first cell that
    differs is marked below.
    """
    columns = list(dict.fromkeys(name for row in expected for name in row))
    unknown = [name for name in columns if found and name not in found[0]]
    if unknown:
        known = list(found[0])
        return f"{part}: no column {unknown[0]}{guess(unknown[0], known)}; there are {_list(known)}"
    columns = columns or list(found[0] if found else [])
    want = Counter(tuple(shown(row.get(name)) for name in columns) for row in expected)
    have = Counter(tuple(shown(row.get(name)) for name in columns) for row in found)
    missing = sorted((want - have).elements())
    extra = sorted((have - want).elements())
    if not missing and not extra:
        return ""
    title = f"{part}: {len(missing)} missing, {len(extra)} unexpected"
    return "\n".join([title, *_table(columns, missing, extra)])


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _pairs(
    missing: list[tuple[str, ...]], extra: list[tuple[str, ...]]
) -> list[tuple[tuple[str, ...] | None, tuple[str, ...] | None]]:
    """Each missing row with the unexpected row that shares most cells with it."""
    left = list(extra)
    pairs: list[tuple[tuple[str, ...] | None, tuple[str, ...] | None]] = []
    for row in missing:
        best = max(left, key=lambda other: _alike(row, other), default=None)
        if best is not None and _alike(row, best):
            left.remove(best)
            pairs.append((row, best))
        else:
            pairs.append((row, None))
    return pairs + [(None, row) for row in left]


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))


def _table(
    columns: Sequence[str], missing: list[tuple[str, ...]], extra: list[tuple[str, ...]]
) -> list[str]:
    pairs = _pairs(missing, extra)
    cells = [columns, *missing, *extra]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]

    def line(label: str, row: Sequence[str]) -> str:
        padded = " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True))
        return f"{label:<8} {padded}".rstrip()

    lines = [line("", columns)]
    for wanted, got in pairs[:MOST]:
        lines += [line("expected", wanted)] if wanted else []
        lines += [line("found", got)] if got else []
        if wanted and got:
            first = next(i for i, (a, b) in enumerate(zip(wanted, got, strict=True)) if a != b)
            offset = 9 + sum(width + 3 for width in widths[:first])
            size = max(len(wanted[first]), len(got[first]))
            lines.append(" " * offset + "^" * size)
    if len(pairs) > MOST:
        lines.append(f"… and {len(pairs) - MOST} more")
    return lines
