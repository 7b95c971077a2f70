"""Corrections on real PostgreSQL and Kafka: replaced, added, taken back, and safe from replays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg2
import pytest

from flink_jobs import corrections, postgres, sinks, tables, topics
from flink_jobs.catalog import Catalog
from flink_jobs.columns import Column
from flink_jobs.model import parse
from flink_jobs.oracle.log import values
from flink_jobs.script import Source
from flink_jobs.settings import ROOT
from flink_jobs.tables import Span
from tests.integration.conftest import RunningStack

pytestmark = pytest.mark.integration
TOPIC = "corrections.analytics.sessions"
START = datetime(2026, 3, 8, tzinfo=UTC)
MODEL = parse(
    Source(
        "sql/windows/sessions.sql",
        "-- Question: Which?\n-- Key: symbol, window_start\n-- Sinks: kafka, postgres\nSELECT 1",
    )
)
COLUMNS = (
    Column("symbol", "STRING", True),
    Column("window_start", "TIMESTAMP(3)", True),
    Column("window_end", "TIMESTAMP(3)", True),
    Column("volume", "DECIMAL(38, 8)"),
    Column("volatility", "DOUBLE"),
)
Row = tuple[str, datetime, datetime, Decimal, float | None]


def row(symbol: str, start: float, end: float, volume: str, volatility: float | None = 0.1) -> Row:
    """A session; times in seconds."""
    ends = (START + timedelta(seconds=start), START + timedelta(seconds=end))
    return (symbol, *ends, Decimal(volume), volatility)


class Desk:
    """A streaming table and a computed one, in schemas of their own."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.connection = psycopg2.connect(stack.database_url)
        for schema in ("corrected", "computed"):
            variables = {"ANALYTICS_SCHEMA": schema, "DATABASE_URL": stack.database_url}
            table = sinks.postgres_table(MODEL, COLUMNS, schema)
            catalog = Catalog.load(ROOT / "sql", variables)
            postgres.ensure(catalog, [table])
        topics.ensure(stack.bootstrap, {TOPIC: catalog.topic(TOPIC)})

    def write(self, schema: str, *rows: Row) -> None:
        """As Flink's sink does: upserts of revision 0."""
        with self.connection, self.connection.cursor() as cursor:
            for each in rows:
                cursor.execute(
                    f"INSERT INTO {schema}.sessions VALUES (%s, %s, %s, %s, %s, 0)"
                    " ON CONFLICT (symbol, window_start) DO UPDATE SET"
                    " window_end = excluded.window_end, volume = excluded.volume,"
                    " volatility = excluded.volatility, revision = excluded.revision",
                    each,
                )

    def closed(self) -> Span:
        """What the streaming job has closed by now."""
        with self.connection, self.connection.cursor() as cursor:
            return Span(closed=tables.closed(cursor, "corrected", "sessions"))

    def correct(self, span: Span | None = None) -> list[str]:
        """What differed, once it is corrected."""
        span = span or self.closed()
        with self.connection, self.connection.cursor() as cursor:
            two = tables.pair(cursor, "sessions", "corrected", "computed", MODEL.key)
            found = tables.differences(cursor, two, span)
            corrections.correct(cursor, two, span, self.stack.bootstrap, TOPIC)
        return [what for what, _, _ in found]

    def rows(self) -> dict[tuple[str, int], tuple[Decimal, int]]:
        """Volume and revision by symbol and start in seconds."""
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("SELECT symbol, window_start, volume, revision FROM corrected.sessions")
            return {
                (symbol, round((start - START).total_seconds())): (volume, revision)
                for symbol, start, volume, revision in cursor.fetchall()
            }

    def told(self) -> list[dict[str, Any]]:
        """Records of the topic so far."""
        return list(values(self.stack.bootstrap, TOPIC))


@pytest.fixture
def desk(stack: RunningStack) -> Iterator[Desk]:
    """Schemas that are gone afterwards."""
    made = Desk(stack)
    yield made
    with made.connection, made.connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA corrected CASCADE; DROP SCHEMA computed CASCADE")
    made.connection.close()


def test_rows_are_replaced_added_and_taken_back_and_a_replay_changes_none(desk: Desk) -> None:
    """Two sessions become one: the first grows, the second goes, and stays away."""
    streamed = (row("A", 0, 30, "1"), row("A", 40.5, 70, "2"), row("B", 0, 30, "5.00000001"))
    desk.write("corrected", *streamed)
    desk.write(
        "computed", row("A", 0, 70, "4"), row("B", 0, 30, "5.00000001"), row("C", 9, 30, "7")
    )
    assert desk.correct() == ["changed", "unexpected", "missing"]
    corrected = {("A", 0): (4, 1), ("B", 0): (Decimal("5.00000001"), 0), ("C", 9): (7, 1)}
    assert desk.rows() == corrected
    desk.write("corrected", *streamed)
    assert desk.rows() == corrected, "a job that replays writes revision 0"
    assert [(told["symbol"], told["volume"], told["revision"]) for told in desk.told()] == [
        ("A", 4, 1),
        ("C", 7, 1),
    ]
    assert desk.told()[0]["window_start"] == "2026-03-08T00:00:00"
    assert desk.correct() == []


def test_what_streaming_has_not_closed_yet_is_left_to_it(desk: Desk) -> None:
    """A computed row that ends after the last one written is no difference."""
    desk.write("corrected", row("A", 0, 30, "1"))
    desk.write("computed", row("A", 0, 30, "1"), row("B", 0, 31, "1"))
    assert desk.correct() == []
    desk.write("corrected", row("C", 0, 31, "1"))
    desk.write("computed", row("C", 0, 31, "1"))
    assert desk.correct() == ["missing"]


def test_what_streaming_closes_while_it_is_computed_is_left_alone(desk: Desk) -> None:
    """The run has read a part of it only: neither half a row nor its absence is a correction."""
    desk.write("corrected", row("A", 0, 30, "1"))
    before = desk.closed()
    desk.write("corrected", row("A", 40, 70, "9"), row("B", 40, 70, "9"))
    desk.write("computed", row("A", 0, 30, "1"), row("A", 40, 50, "4"))
    assert desk.correct(before) == []


def test_a_row_taken_back_may_come_again(desk: Desk) -> None:
    """Once it is computed again, the streaming job may write it too."""
    desk.write("corrected", row("A", 0, 30, "1"), row("B", 0, 60, "1"))
    desk.write("computed", row("B", 0, 60, "1"))
    assert desk.correct() == ["unexpected"]
    desk.write("computed", row("A", 0, 30, "3"))
    assert desk.correct() == ["missing"]
    assert desk.rows()["A", 0] == (3, 1)
    desk.write("corrected", row("D", 0, 10, "1"))
    assert desk.rows()["D", 0] == (1, 0)


def test_floating_numbers_that_differ_by_their_last_digits_are_equal(desk: Desk) -> None:
    """Their sums depend on the order of rows; a real difference does not hide behind that."""
    desk.write("corrected", row("A", 0, 30, "1", 0.3), row("B", 0, 30, "1", 0.3))
    desk.write("corrected", row("C", 0, 30, "1", None))
    desk.write("computed", row("A", 0, 30, "1", 0.1 + 0.2), row("B", 0, 30, "1", 0.3000001))
    desk.write("computed", row("C", 0, 30, "1", 0.3))
    assert desk.correct() == ["changed", "changed"]


def test_rows_outside_the_range_are_left_alone(desk: Desk) -> None:
    """First is included, last is not."""
    desk.write("corrected", *(row("A", start, start + 1, "1") for start in (0, 10, 20)))
    desk.write("computed", *(row("A", start, start + 1, "2") for start in (0, 10, 20)))
    span = Span(START + timedelta(seconds=10), START + timedelta(seconds=20))
    assert desk.correct(span) == ["changed"]
    assert {at: volume for (_, at), (volume, _) in desk.rows().items()} == {0: 1, 10: 2, 20: 1}
