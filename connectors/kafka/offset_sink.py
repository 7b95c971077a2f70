"""Records into PostgreSQL exactly once: each table row's change and the offset in one transaction.

```python
with OffsetSink(dsn, "customer-metrics") as sink:
    for record in consumer:
        sink.apply(record, lambda cursor: upsert(cursor, "customer_metrics", ["customer_id"], row))
```

A record that comes again (after a kill, a rebalance, a replay) finds its offset passed and changes
nothing. So the consumer may commit its own offsets whenever it likes after `OffsetSink.apply`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

TABLE = """
CREATE TABLE IF NOT EXISTS sink_offsets (
    sink TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    last_offset BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (sink, topic, partition)
)
"""

PASS = """
INSERT INTO sink_offsets AS s (sink, topic, partition, last_offset) VALUES (%s, %s, %s, %s)
ON CONFLICT (sink, topic, partition) DO UPDATE
SET last_offset = excluded.last_offset, updated_at = clock_timestamp()
WHERE s.last_offset < excluded.last_offset
RETURNING 1
"""
"""Gives a row where the offset is new. It locks that row: two workers that have the same
partition for a moment go one after the other, and the second finds the offset passed."""


class Positioned(Protocol):
    """What is asked of a record: kafka-python's ConsumerRecord has it."""

    topic: str
    partition: int
    offset: int


class OffsetSink:
    """Applies records, each once.

    Args:
        dsn: As libpq takes it.
        name: Of the sink: two that write different tables have different names.
        step: Called with the name of each step that is done, ``guarded``, ``written``,
            ``committed``; for tests that kill between two.
    """

    def __init__(self, dsn: str, name: str, step: Callable[[str], None] = lambda _: None) -> None:
        self._name = name
        self._step = step
        self._connection = psycopg2.connect(dsn)
        with self._connection, self._connection.cursor() as cursor:
            # Two that make it at the same moment would collide in PostgreSQL's catalogue.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('sink_offsets'))")
            cursor.execute(TABLE)

    def apply(self, record: Positioned, write: Callable[[Cursor], object]) -> bool:
        """Let ``write`` change the database for a record; False where it was applied before.

        An error of ``write`` undoes all of it, the offset too, and is raised.
        """
        with self._connection, self._connection.cursor() as cursor:
            where = (self._name, record.topic, record.partition, record.offset)
            cursor.execute(PASS, where)
            if cursor.fetchone() is None:
                return False
            self._step("guarded")
            write(cursor)
            self._step("written")
        self._step("committed")
        return True

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def upsert(cursor: Cursor, table: str, key: Sequence[str], row: Mapping[str, Any]) -> None:
    """Insert a row, or change the one with the same ``key`` columns."""
    others = [name for name in row if name not in key]
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    places = sql.SQL(", ").join(sql.Placeholder() * len(row))
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others
    )
    action = sql.SQL("UPDATE SET {}").format(changes) if others else sql.SQL("NOTHING")
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO {}").format(
        sql.Identifier(*table.split(".")),
        names,
        places,
        sql.SQL(", ").join(map(sql.Identifier, key)),
        action,
    )
    cursor.execute(statement, list(row.values()))
