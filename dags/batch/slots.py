"""Lets at most so many workers work on one execution, where Airflow would start more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import TYPE_CHECKING

from dags.batch.database import connect

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

POLL_SECONDS = 0.5


@contextmanager
def slot(execution_id: int, count: int, ended: Callable[[], bool]) -> Iterator[bool]:
    """Hold one of `count` slots of the execution; waits for one, False if `ended` comes first.

    A slot is a lock of its holder's session in the database: it goes with the holder.
    """
    connection = connect(autocommit=True)
    try:
        while not (taken := _take(connection, execution_id, count)) and not ended():
            sleep(POLL_SECONDS)
        yield taken
    finally:
        connection.close()


def _take(connection: "Connection", execution_id: int, count: int) -> bool:
    with connection.cursor() as cursor:
        for number in range(count):
            cursor.execute(
                "SELECT pg_try_advisory_lock(hashtext('slots ' || current_schema() || %s), %s)",
                (str(execution_id), number),
            )
            row = cursor.fetchone()
            if row and row[0]:
                return True
    return False
