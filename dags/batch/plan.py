"""Which stocks a run fetches and from when on. Pure, but for the reading of tables at the end."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from dags.batch.models import Mode
from dags.batch.request import BadRequest, Request
from dags.batch.sessions import Sessions
from dags.batch.start import chunk_sizes

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

Window = tuple[date | None, date | None]
"""First and last session to fetch; last None: up to now."""
SHOWN = 10


class Stock(NamedTuple):
    """A stock of the master."""

    code: str
    segment: str
    is_foreign: bool
    is_class_share: bool
    listed: bool


class Stored(NamedTuple):
    """What the database has of the stocks."""

    newest: Mapping[str, date]
    """Last stored session by code."""
    begun: Collection[str]
    """Codes whose history was fetched once, from its start (see the setting `period`) up to then.
    Backfills and refills, which end at a given session, do not count."""


class Plan(NamedTuple):
    """What a run fetches."""

    codes: Sequence[str]
    """In the order in which they are fetched."""
    windows: Mapping[str, Window]
    """Of stocks whose history is there; the others get all of it (see the setting `period`)."""


def select(stocks: Iterable[Stock], request: Request) -> list[str]:
    """Codes that the request means, in order of code.

    Stocks named are taken whatever their segment. BadRequest where one is not in the master or
    no longer listed, or where nothing is left.
    """
    known = {stock.code: stock for stock in stocks}
    if request.codes:
        unknown = [code for code in request.codes if code not in known]
        gone = [code for code in request.codes if code in known and not known[code].listed]
        faults = []
        if unknown:
            faults.append(f"symbols: {some(unknown)} not in the list of the exchange")
        if gone:
            faults.append(f"symbols: {some(gone)} no longer listed; their prices are kept")
        if faults:
            raise BadRequest(faults)
        return sorted(request.codes)
    found = sorted(stock.code for stock in known.values() if _wanted(stock, request))
    if not found:
        raise BadRequest(
            [
                f"segments: nothing to fetch, none of {len(known)} known stocks is listed in "
                f"{', '.join(sorted(request.segments))}"
            ]
        )
    return found


def _wanted(stock: Stock, request: Request) -> bool:
    return (
        stock.listed
        and stock.segment in request.segments
        and (request.include_foreign or not stock.is_foreign)
        and (request.include_class_shares or not stock.is_class_share)
    )


def some(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def window(
    code: str, request: Request, stored: Stored, sessions: Sessions, overlap: int
) -> Window | None:
    """What to fetch of one stock, None: its whole history; `overlap` in sessions.

    A stock whose history was never fetched gets it, however many sessions backfills brought.
    """
    if request.mode == Mode.SESSION:
        return request.session, request.session
    newest = stored.newest.get(code)
    if request.mode == Mode.FULL or newest is None or code not in stored.begun:
        return None
    return sessions.back(newest, overlap), None


def make(
    stocks: Iterable[Stock], request: Request, stored: Stored, sessions: Sessions, overlap: int
) -> Plan:
    """The plan of a run in any mode but `failed`. BadRequest as `select`."""
    codes = select(stocks, request)
    windows = {code: window(code, request, stored, sessions, overlap) for code in codes}
    return Plan(codes, {code: found for code, found in windows.items() if found})


def retry(failed: Mapping[str, Window], of: str) -> Plan:
    """The failed stocks of an earlier execution with the windows they had there."""
    if not failed:
        raise BadRequest([f"of: execution {of} has no failed stocks, there is nothing to retry"])
    return Plan(sorted(failed), {code: found for code, found in failed.items() if any(found)})


def check_chunks(stocks: int, batch_size: int, workers: int, limit: int) -> int:
    """Number of chunks; BadRequest where Airflow would refuse to map so many tasks."""
    chunks = len(chunk_sizes(stocks, batch_size, workers))
    if chunks > limit:
        raise BadRequest(
            [
                f"batch_size: {stocks} stocks in chunks of {batch_size} are {chunks} tasks, "
                f"Airflow maps {limit} at most: choose {ceil(stocks / max(1, limit - workers))} "
                "or more"
            ]
        )
    return chunks


def read_stocks(connection: "Connection") -> list[Stock]:
    """The master."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, segment, is_foreign, is_class_share, status = 'listed' FROM stocks"
        )
        return [Stock(*row) for row in cursor.fetchall()]


def read_stored(connection: "Connection") -> Stored:
    """Newest session of each stock, and whose history was fetched."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, newest FROM stocks, LATERAL ("
            " SELECT max(trade_date) AS newest FROM daily_bars"
            " WHERE daily_bars.symbol = stocks.symbol) AS bars WHERE newest IS NOT NULL"
        )
        newest = dict(cursor.fetchall())
        cursor.execute(
            "SELECT DISTINCT stock_code FROM batch_execution_details"
            " WHERE status = 'completed' AND outcome IN ('stored', 'unchanged')"
            " AND fetch_to IS NULL"
        )
        return Stored(newest, {code for (code,) in cursor.fetchall()})


def read_failed(connection: "Connection", execution_id: int) -> dict[str, Window]:
    """Failed stocks of an execution with their windows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stock_code, fetch_from, fetch_to FROM batch_execution_details"
            " WHERE batch_execution_id = %s AND status = 'failed'",
            (execution_id,),
        )
        return {code: (first, last) for code, first, last in cursor.fetchall()}


def free_run_id(connection: "Connection", run_id: str) -> str:
    """The run id under which this run's execution is found or made.

    A run that is cleared as a whole after its execution was completed is to fetch again: that is
    a new execution, `<run id>#2`, `#3` and so on.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, status FROM batch_executions"
            " WHERE run_id = %s OR starts_with(run_id, %s)",
            (run_id, f"{run_id}#"),
        )
        states = dict(cursor.fetchall())
    name, number = run_id, 1
    while states.get(name) == "completed":
        number += 1
        name = f"{run_id}#{number}"
    return name
