"""Corrections: windows of a range computed again from the topics, late rows taken in.

The unchanged SELECT runs over the topics from (range - longest window) to their end; rows of the
range that differ are replaced, in PostgreSQL and in the topic, with a higher `revision`. Rows that
are no longer produced (a session that a late row has joined to another) are taken back: deleted,
told by a tombstone, and withdrawn, so that a job that replays does not bring them back.

The topic gets its records before PostgreSQL commits: a run that dies between the two is run again
and sends the same records with the same revisions.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from psycopg2 import sql

from flink_jobs import alerts, bounded, postgres, tables
from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError
from flink_jobs.model import Model
from flink_jobs.tables import Pair

MOMENT = """to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS')
    || rtrim(rtrim(to_char({column}, '.US'), '0'), '.')"""
"""A time as Flink's JSON has it, in the time zone of the session; no fraction where it is zero."""
FOUND = "CREATE TEMPORARY TABLE corrections ON COMMIT DROP AS {}"
ROW = """jsonb_populate_record(
    NULL::{target},
    coalesce(new, old)
    || jsonb_build_object('revision', coalesce((old ->> 'revision')::int + 1, 1))
) AS row"""
KEY = """(
    SELECT jsonb_object_agg(name, cell)
    FROM jsonb_each(to_jsonb(row)) AS columns (name, cell) WHERE name = ANY ({key_names})
)"""
RECORDS = f"""
SELECT {{key}}, CASE WHEN what <> 'unexpected' THEN {{value}} END FROM corrections, {ROW}"""
REPLACE = f"""
INSERT INTO {{target}} ({{columns}}, revision)
SELECT {{columns}}, revision FROM corrections, {ROW} WHERE what <> 'unexpected'
ON CONFLICT ({{key}}) DO UPDATE SET {{updates}}"""
WITHDRAW = f"""
INSERT INTO {{withdrawn}} (model, key)
SELECT {{table}}, {KEY} FROM corrections, {ROW} WHERE what = 'unexpected'
ON CONFLICT DO NOTHING"""
BRING_BACK = f"""
DELETE FROM {{withdrawn}} AS gone USING corrections, {ROW}
WHERE what <> 'unexpected' AND gone.model = {{table}} AND gone.key = {KEY}"""
TAKE_BACK = f"""
DELETE FROM {{target}} AS target USING corrections, {ROW}
WHERE what = 'unexpected' AND {{same_key}}"""


@dataclass(frozen=True)
class Corrected:
    """What was corrected of one model."""

    model: str
    rows: int
    """Rows of the range as they are now."""
    differences: tuple[str, ...]
    changed: int
    missing: int
    unexpected: int

    def __str__(self) -> str:
        counts = f"{self.changed} changed, {self.missing} added, {self.unexpected} taken back"
        return f"{self.model}: {self.rows} rows, {counts}"


def recompute(
    catalog: Catalog, name: str, first: datetime, last: datetime, dry: bool = False
) -> list[Corrected]:
    """Correct a model and those that read it; `dry` only tells. JobError, SqlError."""
    if first >= last:
        raise JobError(f"the range ends at {last}, before it begins at {first}")
    models = [catalog.model(bounded.key_of(catalog, name)), *readers(catalog, name)]
    told = [model for model in models if "postgres" in model.sinks]
    if not told or told[0].name != models[0].name:
        raise JobError(
            f"{name} has no table in PostgreSQL to correct\n"
            "  to do: name a model with `Sinks: … postgres`"
        )
    # A row over the rows before it needs those, and a correction reaches rows after it.
    start = "earliest" if any(_counts_rows(model) for model in told) else first.isoformat()
    with bounded.computed(catalog, told, start) as schema:
        return [
            _correct(catalog, model, schema, first, None if _counts_rows(model) else last, dry)
            for model in told
        ]


def readers(catalog: Catalog, name: str) -> list[Model]:
    """Models that read a model, directly or not. Alerts are left out: they were told to people."""
    found = []
    for path in catalog.model_paths.values():
        model = catalog.model(bounded.key_of(catalog, path.stem))
        inputs = [one.name for one in catalog.with_inputs([bounded.key_of(catalog, path.stem)])]
        if model.name != name and name in inputs and alerts.TOPIC not in model.sinks:
            found.append(model)
    return found


def _counts_rows(model: Model) -> bool:
    """Whether rows are computed over a number of rows before them, whose time nobody knows."""
    words = [token.upper for token in model.statement.code()]
    return any(pair == ("ROWS", "BETWEEN") for pair in pairwise(words))


def _correct(
    catalog: Catalog, model: Model, schema: str, first: datetime, last: datetime | None, dry: bool
) -> Corrected:
    variables = catalog.variables
    with postgres.connect(variables["DATABASE"]) as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        two = tables.pair(cursor, model.name, variables["ANALYTICS_SCHEMA"], schema, model.key)
        if not two.columns:
            raise JobError(f"no table {model.name} yet\n  to do: submit the model's job first")
        if two.range_column is None:
            raise JobError(
                f"{model.name} has no window_start and no event_time: its rows lie in no range\n"
                "  to do: submit its job anew from the beginning"
            )
        last = closed(cursor, two) if last is None else min(last, closed(cursor, two))
        found = tables.differences(cursor, two, first, last)
        rows = tables.count(cursor, two, first, last)
        if found and not dry:
            cursor.execute(sql.SQL(FOUND).format(tables.differing(two, first, last)))
            _send(catalog, model, _records(cursor, two))
            _apply(cursor, two)
    kinds = [what for what, _, _ in found]
    return Corrected(
        model.name,
        rows,
        tuple(tables.shown(two, found)),
        *(kinds.count(kind) for kind in ("changed", "missing", "unexpected")),
    )


def closed(cursor: Any, two: Pair) -> datetime:
    """End of what the streaming job has written: what comes later is still open there."""
    column = sql.Identifier(str(two.range_column))
    cursor.execute(
        sql.SQL("SELECT max({}) + interval '1 ms' FROM {}").format(
            column, sql.Identifier(two.have, two.table)
        )
    )
    (end,) = cursor.fetchone()
    return end if end is not None else datetime.min.replace(tzinfo=UTC)


def _apply(cursor: Any, two: Pair) -> None:
    """Bring the rows to what was computed, in this transaction."""
    names = [name for name, _ in two.columns]
    parts = {
        "target": sql.Identifier(two.have, two.table),
        "withdrawn": sql.Identifier(two.have, "withdrawn_rows"),
        "table": sql.Literal(two.table),
        "columns": sql.SQL(", ").join(map(sql.Identifier, names)),
        "key": sql.SQL(", ").join(map(sql.Identifier, two.key)),
        "key_names": sql.Literal(list(two.key)),
        "same_key": sql.SQL(" AND ").join(
            sql.SQL("target.{0} = row.{0}").format(sql.Identifier(name)) for name in two.key
        ),
        "updates": sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
            for name in [*(n for n, _ in two.values), tables.REVISION]
        ),
    }
    for statement in (BRING_BACK, REPLACE, WITHDRAW, TAKE_BACK):
        cursor.execute(sql.SQL(statement).format(**parts))


def _records(cursor: Any, two: Pair) -> list[tuple[bytes, bytes | None]]:
    """Key and value of each correction as Flink writes them; no value: the row is taken back."""
    every = [*two.columns, (tables.REVISION, "integer")]
    cursor.execute(
        sql.SQL(RECORDS).format(
            target=sql.Identifier(two.have, two.table),
            key=_object([column for column in two.columns if column[0] in two.key]),
            value=_object(every),
        )
    )
    return [(key.encode(), value and value.encode()) for key, value in cursor.fetchall()]


def _object(columns: Sequence[tuple[str, str]]) -> sql.Composable:
    """A JSON object with columns of `row`: numbers exact, times as Flink's JSON has them.

    No blanks: the key must be the very bytes that Flink writes, or the topic holds two rows.
    """
    parts = []
    for name, kind in columns:
        cell: sql.Composable = sql.Identifier("row", name)
        if kind.startswith("timestamp"):
            cell = sql.SQL(MOMENT).format(column=cell)
        label = sql.Literal(f"{json.dumps(name)}:")
        parts.append(sql.SQL("{} || coalesce(to_json({})::text, 'null')").format(label, cell))
    return sql.SQL("'{{' || {} || '}}'").format(sql.SQL(" || ',' || ").join(parts))


def _send(catalog: Catalog, model: Model, records: Sequence[tuple[bytes, bytes | None]]) -> None:
    """Send corrections to the model's topic and wait until the broker has them."""
    if "kafka" not in model.sinks:
        return
    topic = catalog.variables["TOPIC_PREFIX"] + (model.topic or f"analytics.{model.name}")
    servers = catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    try:
        for future in [producer.send(topic, key=key, value=value) for key, value in records]:
            future.get(timeout=30)
    except KafkaError as error:
        raise JobError(f"Kafka took no correction of {model.name}: {error}") from None
    finally:
        producer.close()
