"""Two tables of the same model, row for row: what differs, and how one is brought to the other."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg2 import sql

REVISION = "revision"
COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""
RANGE_COLUMNS = ("window_start", "event_time")
END_COLUMNS = ("window_end", "window_start", "event_time")
TOLERANCE = "1e-9"
"""Relative difference up to which floating numbers count as equal: their sums depend on order."""


class Span(NamedTuple):
    """Rows that are compared: first ≤ t < last; None is no bound."""

    first: datetime | None = None
    last: datetime | None = None
    closed: datetime | None = None
    """How far streaming had come before `want` was computed: a row that ends later, on either
    side, may have been read by one of them only in part."""


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
        return _first(RANGE_COLUMNS, self.columns)

    @property
    def end_column(self) -> str | None:
        """The column that says when a row is complete."""
        return _first(END_COLUMNS, self.columns)

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """Columns that are not of the key."""
        return tuple(column for column in self.columns if column[0] not in self.key)


def _first(wanted: Sequence[str], columns: Sequence[tuple[str, str]]) -> str | None:
    names = {name for name, _ in columns}
    return next((name for name in wanted if name in names), None)


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
            "({a} IS NOT DISTINCT FROM {b}"
            " OR coalesce(abs({a} - {b}) <= {t} * greatest(abs({a}), abs({b})), false))"
        ).format(a=mine, b=other, t=sql.SQL(TOLERANCE))
    return sql.SQL("{} IS NOT DISTINCT FROM {}").format(mine, other)


def differing(two: Pair, span: Span) -> sql.Composable:
    """SELECT of `what` (changed | missing | unexpected) and both rows as JSON.

    `missing` is in `want` only, `unexpected` in `have` only.
    """
    using = sql.SQL(", ").join(map(sql.Identifier, two.key))
    same = [_same(name, kind) for name, kind in two.values] or [sql.SQL("true")]
    key = sql.Identifier(two.key[0])
    return sql.SQL(
        "SELECT CASE WHEN have.{key} IS NULL THEN 'missing' WHEN want.{key} IS NULL"
        " THEN 'unexpected' ELSE 'changed' END AS what,"
        " to_jsonb(have) AS old, to_jsonb(want) AS new"
        " FROM {have} AS have FULL JOIN {want} AS want USING ({using})"
        " WHERE (have.{key} IS NULL OR want.{key} IS NULL OR NOT ({same})) AND {complete}"
        " ORDER BY {using}"
    ).format(
        key=key,
        have=_side(two.have, two, span),
        want=_side(two.want, two, span),
        using=using,
        same=sql.SQL(" AND ").join(same),
        complete=_complete(two, span),
    )


def _complete(two: Pair, span: Span) -> sql.Composable:
    if two.end_column is None or span.closed is None:
        return sql.SQL("true")
    return sql.SQL("greatest(have.{0}, want.{0}) <= {1}").format(
        sql.Identifier(two.end_column), sql.Literal(span.closed)
    )


def _side(schema: str, two: Pair, span: Span) -> sql.Composable:
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if two.range_column:
        column = sql.Identifier(two.range_column)
        if span.first:
            conditions.append(sql.SQL("{} >= {}").format(column, sql.Literal(span.first)))
        if span.last:
            conditions.append(sql.SQL("{} < {}").format(column, sql.Literal(span.last)))
    return sql.SQL("(SELECT * FROM {} WHERE {})").format(
        sql.Identifier(schema, two.table), sql.SQL(" AND ").join(conditions)
    )


def closed(cursor: Any, schema: str, table: str) -> datetime | None:
    """How far a streaming job has come: the latest end of a row of its table.

    None where there is no table, or its rows have no end.
    """
    cursor.execute(COLUMNS, (schema, table))
    column = _first(END_COLUMNS, cursor.fetchall())
    if column is None:
        return None
    cursor.execute(
        sql.SQL("SELECT max({}) FROM {}").format(
            sql.Identifier(column), sql.Identifier(schema, table)
        )
    )
    found: datetime | None = cursor.fetchone()[0]
    return found or datetime(1, 1, 1, tzinfo=UTC)


def count(cursor: Any, two: Pair, span: Span) -> int:
    """Rows of `want`."""
    side = _side(two.want, two, span)
    bound: sql.Composable = sql.SQL("true")
    if two.end_column and span.closed:
        bound = sql.SQL("{} <= {}").format(sql.Identifier(two.end_column), sql.Literal(span.closed))
    cursor.execute(sql.SQL("SELECT count(*) FROM {} AS want WHERE {}").format(side, bound))
    return int(cursor.fetchone()[0])


def differences(cursor: Any, two: Pair, span: Span) -> list[tuple[str, Any, Any]]:
    """All differing rows: what, old and new as dictionaries, numbers exact."""
    cursor.execute(
        sql.SQL("SELECT what, old::text, new::text FROM ({}) AS found").format(differing(two, span))
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
