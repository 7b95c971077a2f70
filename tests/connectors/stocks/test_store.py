"""Bars in a real PostgreSQL."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import cursor as Cursor

from connectors.stocks.bars import Bar
from connectors.stocks.store import copy_text, number, store_bars, usable
from dags.batch.database import connect
from tests.dags.batch.parts import rows, stored
from tests.dags.batch.source import bars_of
from tests.dags.conftest import BatchDatabase, database, postgres_server

__all__ = ["database", "postgres_server"]


@contextmanager
def transaction(database: BatchDatabase) -> Iterator[Cursor]:
    """A transaction on a connection of its own, committed at the end."""
    connection = connect(database.settings)
    with connection, connection.cursor() as cursor:
        yield cursor
    connection.close()


BARS = bars_of("7203.T")
BAR = BARS[0]


@given(st.permutations(range(8)))
def test_the_order_of_bars_does_not_matter(order: list[int]) -> None:
    """They are stored oldest first."""
    assert usable([BARS[number] for number in order]) == BARS[:8]


@given(st.one_of(st.none(), st.floats()))
def test_only_numbers_are_numbers(value: float | None) -> None:
    """NaN and infinity are null."""
    assert number(value) == (value if value is not None and math.isfinite(value) else None)


def test_bars_without_a_close_are_left_out() -> None:
    """Other unknown values are null; of two bars for a session the last one counts."""
    nan = float("nan")
    odd = [
        BAR._replace(close=nan),
        BARS[1]._replace(open=nan, high=math.inf, adj_close=None, volume=None, dividends=nan),
        BARS[2],
        BARS[2]._replace(close=1.0),
    ]
    assert usable(odd) == [
        BARS[1]._replace(open=None, high=None, adj_close=None, volume=None),
        BARS[2]._replace(close=1.0),
    ]


def test_null_is_not_text() -> None:
    r"""COPY's own mark."""
    bar = Bar(date(2025, 1, 6), None, 2.5, 0.1, 1e-7, None, 3)
    assert (
        copy_text([bar], bar.trade_date)
        == "2025-01-06\t\\N\t2.5\t0.1\t1e-07\t\\N\t3\t0.0\t0.0\tt\n"
    )


@pytest.mark.integration
def test_what_is_there_is_not_written_again(database: BatchDatabase) -> None:
    """Only rows that are new or different count and get a new time."""
    with transaction(database) as cursor:
        assert store_bars(cursor, "7203.T", BARS[:30]) == (30, 30, 0)
    with transaction(database) as cursor:
        assert store_bars(cursor, "7203.T", BARS[:30]) == (30, 0, 0)
        changed = [*BARS[:29], BARS[29]._replace(volume=None), BARS[30]]
        assert store_bars(cursor, "7203.T", changed) == (31, 2, 0)
        assert store_bars(cursor, "6758.T", BARS) == (40, 40, 0)
    assert stored(database, "7203.T") == changed
    assert rows(
        database,
        "SELECT count(*) FROM daily_bars WHERE last_changed_at > first_stored_at",
    ) == [(1,)]


@pytest.mark.integration
def test_bars_with_nan_are_stored_as_null(database: BatchDatabase) -> None:
    """And those without a close are counted as skipped."""
    nan = float("nan")
    odd = [BAR._replace(close=nan), BARS[1]._replace(open=nan, volume=-5)]
    with transaction(database) as cursor:
        assert store_bars(cursor, "7203.T", odd) == (2, 1, 1)
        assert store_bars(cursor, "7203.T", odd[:1]) == (1, 0, 1)
        assert store_bars(cursor, "7203.T", []) == (0, 0, 0)
    # A volume that makes no sense is kept as it came: the integrity checks name it.
    assert stored(database, "7203.T") == [BARS[1]._replace(open=None, volume=-5)]


@pytest.mark.integration
def test_the_newest_session_is_provisional_until_it_is_confirmed(database: BatchDatabase) -> None:
    """Which is not a change of the row."""
    query = "SELECT trade_date FROM daily_bars WHERE provisional"
    with transaction(database) as cursor:
        store_bars(cursor, "7203.T", BARS[:10], BARS[9].trade_date)
    assert rows(database, query) == [(BARS[9].trade_date,)]
    with transaction(database) as cursor:
        assert store_bars(cursor, "7203.T", BARS[8:11], BARS[10].trade_date) == (3, 1, 0)
    assert rows(database, query) == [(BARS[10].trade_date,)]


@pytest.mark.integration
def test_nothing_is_committed(database: BatchDatabase) -> None:
    """That is the caller's: bars and state belong together. Two symbols fit in one transaction."""
    database.connection.autocommit = False
    with database.connection.cursor() as cursor:
        store_bars(cursor, "7203.T", BARS)
        store_bars(cursor, "6758.T", BARS[:3])
        assert rows(database, "SELECT count(*) FROM daily_bars") == [(43,)]
    database.connection.rollback()
    assert rows(database, "SELECT count(*) FROM daily_bars") == [(0,)]


@pytest.mark.integration
def test_an_autocommit_connection_is_refused(database: BatchDatabase) -> None:
    """Nothing would hold the bars together."""
    with database.connection.cursor() as cursor, pytest.raises(ValueError, match="transaction"):
        store_bars(cursor, "7203.T", BARS)
