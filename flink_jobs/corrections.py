"""Bringing a model's rows to what was computed: in PostgreSQL and in the topic.

Rows that differ are replaced with a higher `revision`. Rows that are no longer produced (a session
that a late row has joined to another) are taken back: deleted, told by a tombstone, and withdrawn,
so that a job that replays does not bring them back.

The topic gets its records before PostgreSQL commits: a run that dies between the two is run again
and sends the same records with the same revisions.
"""

import json
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from psycopg2 import sql

from flink_jobs import tables
from flink_jobs.errors import JobError
from flink_jobs.tables import Pair, Span

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
INSERT INTO {{withdrawn}} (model_name, row_key)
SELECT {{table}}, {KEY} FROM corrections, {ROW} WHERE what = 'unexpected'
ON CONFLICT DO NOTHING"""
BRING_BACK = f"""
DELETE FROM {{withdrawn}} AS gone USING corrections, {ROW}
WHERE what <> 'unexpected' AND gone.model_name = {{table}} AND gone.row_key = {KEY}"""
TAKE_BACK = f"""
DELETE FROM {{target}} AS target USING corrections, {ROW}
WHERE what = 'unexpected' AND {{same_key}}"""


def correct(cursor: Any, two: Pair, span: Span, servers: str, topic: str | None) -> None:
    """Replace, add and take back the rows that differ, in this transaction.

    `topic`: where the corrections go, if anywhere. JobError if Kafka does not take them.
    """
    cursor.execute("SET LOCAL TIME ZONE 'UTC'")
    cursor.execute(sql.SQL(FOUND).format(tables.differing(two, span)))
    if topic:
        _send(servers, topic, _records(cursor, two))
    _apply(cursor, two)
    cursor.execute("DROP TABLE corrections")


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


def _send(servers: str, topic: str, records: Sequence[tuple[bytes, bytes | None]]) -> None:
    """Send corrections and wait until the broker has them."""
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    try:
        for future in [producer.send(topic, key=key, value=value) for key, value in records]:
            future.get(timeout=30)
    except KafkaError as error:
        raise JobError(f"Kafka took no correction for {topic}: {error}") from None
    finally:
        producer.close()
