"""Two tables of the same model, row for row: what differs, and how one is brought to the other."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg2 import sql

REVISION = "revision"
COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""
RANGE_COLUMNS = ("window_start", "event_time")
TOLERANCE = "1e-9"
"""Relative difference up to which floating numbers count as equal: their sums depend on order."""


@dataclass(frozen=True)
class Pair:
    """A model's table and another one of the same shape, by their schemas."""

    table: str
    have: str
    want: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    """Name and type of each column but the revision."""

    @property
    def range_column(self) -> str | None:
        """The column by which rows lie in a range of time."""
        names = {name for name, _ in self.columns}
        return next((name for name in RANGE_COLUMNS if name in names), None)

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """Columns that are not of the key."""
        return tuple(column for column in self.columns if column[0] not in self.key)


def pair(cursor: Any, table: str, have: str, want: str, key: Sequence[str]) -> Pair:
    """Two tables as PostgreSQL knows them; `columns` are those that both have."""
    cursor.execute(COLUMNS, (have, table))
    present = dict(cursor.fetchall())
    cursor.execute(COLUMNS, (want, table))
    columns = [(n, kind) for n, kind in cursor.fetchall() if n in present and n != REVISION]
    return Pair(table, have, want, tuple(key), tuple(columns))


def _same(name: str, kind: str) -> sql.Composable:
    mine, other = sql.Identifier("have", name), sql.Identifier("want", name)
    if kind in ("double precision", "real"):
        return sql.SQL(
            "({a} IS NOT DISTINCT FROM {b} OR abs({a} - {b}) <= {t} * greatest(abs({a}), abs({b})))"
        ).format(a=mine, b=other, t=sql.SQL(TOLERANCE))
    return sql.SQL("{} IS NOT DISTINCT FROM {}").format(mine, other)


def differing(
    two: Pair, first: datetime | None = None, last: datetime | None = None
) -> sql.Composable:
    """SELECT of `what` (changed | missing | unexpected) and both rows as JSON, of first ≤ t < last.

    `missing` is in `want` only, `unexpected` in `have` only.
    """
    using = sql.SQL(", ").join(map(sql.Identifier, two.key))
    same = [_same(name, kind) for name, kind in two.values] or [sql.SQL("true")]
    sides = [_side(schema, two, first, last) for schema in (two.have, two.want)]
    key = sql.Identifier(two.key[0])
    return sql.SQL(
        "SELECT CASE WHEN have.{key} IS NULL THEN 'missing' WHEN want.{key} IS NULL"
        " THEN 'unexpected' ELSE 'changed' END AS what,"
        " to_jsonb(have) AS old, to_jsonb(want) AS new"
        " FROM {have} AS have FULL JOIN {want} AS want USING ({using})"
        " WHERE have.{key} IS NULL OR want.{key} IS NULL OR NOT ({same}) ORDER BY {using}"
    ).format(key=key, have=sides[0], want=sides[1], using=using, same=sql.SQL(" AND ").join(same))


def _side(schema: str, two: Pair, first: datetime | None, last: datetime | None) -> sql.Composable:
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if two.range_column:
        column = sql.Identifier(two.range_column)
        if first:
            conditions.append(sql.SQL("{} >= {}").format(column, sql.Literal(first)))
        if last:
            conditions.append(sql.SQL("{} < {}").format(column, sql.Literal(last)))
    return sql.SQL("(SELECT * FROM {} WHERE {})").format(
        sql.Identifier(schema, two.table), sql.SQL(" AND ").join(conditions)
    )


def count(
    cursor: Any, two: Pair, first: datetime | None = None, last: datetime | None = None
) -> int:
    """Rows of `want`, of first ≤ t < last."""
    cursor.execute(
        sql.SQL("SELECT count(*) FROM {} AS side").format(_side(two.want, two, first, last))
    )
    return int(cursor.fetchone()[0])


def differences(
    cursor: Any, two: Pair, first: datetime | None = None, last: datetime | None = None
) -> list[tuple[str, Any, Any]]:
    """All differing rows: what, old and new as dictionaries, numbers exact."""
    cursor.execute(
        sql.SQL("SELECT what, old::text, new::text FROM ({}) AS found").format(
            differing(two, first, last)
        )
    )
    return [(what, _row(old), _row(new)) for what, old, new in cursor.fetchall()]


def _row(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)


def shown(two: Pair, found: Sequence[tuple[str, Any, Any]], most: int = 20) -> Iterator[str]:
    """Differences as lines: the key, then each column that differs, old → new."""
    for what, old, new in found[:most]:
        key = ", ".join(str((new or old)[name]) for name in two.key)
        if what == "changed":
            cells = [f"{n} {old[n]} → {new[n]}" for n, _ in two.values if old[n] != new[n]]
            yield f"{two.table} ({key}): {', '.join(cells)}"
        else:
            yield f"{two.table} ({key}): {what}"
    if len(found) > most:
        yield f"{two.table}: and {len(found) - most} more"
