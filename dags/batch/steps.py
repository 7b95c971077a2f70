"""What the tasks of the DAG do, one function a task. Nothing here knows Airflow."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from dags.batch import master, notify, plan, quality, report, sessions, systems
from dags.batch.config import BatchConfig
from dags.batch.controller import BatchController
from dags.batch.database import Database, connect
from dags.batch.engine import BatchEngine
from dags.batch.errors import BatchFailed, ConfigError, ForbiddenTransition
from dags.batch.executions import Execution
from dags.batch.migrations import migrate
from dags.batch.models import BatchStatus, Mode
from dags.batch.request import BadRequest, Request, parse, settings_of
from dags.batch.sessions import Sessions

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

LOG = logging.getLogger(__name__)
BY_HAND = ("manual", "asset_triggered")
BACKFILL = "backfill"
AIRFLOW = "airflow"
"""Who gives orders here."""


class Run(NamedTuple):
    """A run of the DAG."""

    run_id: str
    run_type: str
    """scheduled, backfill, manual or asset_triggered"""
    logical_date: datetime | None
    """For scheduled runs and backfills: the moment that the schedule names."""
    attempt: int = 0
    """How often it was cleared."""


class Verdict(NamedTuple):
    """Whether a run has anything to do."""

    go_on: bool
    message: str


@contextmanager
def opened() -> Iterator["Connection"]:
    """A connection for one task."""
    connection = connect()
    try:
        yield connection
    finally:
        connection.close()


def session_gate(run: Run, params: Mapping[str, Any]) -> Verdict:
    """Refuse params that make no sense, and runs for a day on which Tokyo does not trade.

    Runs by hand pass on any day. BadRequest with all faults.
    """
    faults = []
    for check in (lambda: _request(run, params, date.min), lambda: _config(params)):
        try:
            check()
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise BadRequest(faults)
    if by_hand(run):
        return Verdict(True, "started by hand: runs on any day")
    day = sessions.session_of(_moment(run))
    with opened() as connection:
        migrate(connection)
        trades = day in sessions.load(connection)
    return Verdict(trades, f"session {day}" if trades else f"not a session: {day}")


def check_systems(params: Mapping[str, Any]) -> dict[str, str]:
    """See `systems.check`."""
    from connectors.stocks.settings import load_stock_settings

    with opened() as connection:
        found = systems.check(connection, settings_of(params), load_stock_settings())
    for name, text in found.items():
        LOG.info("%s: %s", name, text)
    return found


def refresh_listing() -> dict[str, Any]:
    """See `master.refresh`."""
    from connectors.stocks.settings import load_stock_settings

    with opened() as connection:
        taken = master.refresh(connection, load_stock_settings())
    LOG.info("%d stocks are listed, %d new, %d gone", taken.listed, taken.added, taken.delisted)
    return {**taken._asdict(), "listing_date": taken.listing_date and str(taken.listing_date)}


def make_plan(run: Run, params: Mapping[str, Any], most_chunks: int) -> list[dict[str, Any]]:
    """Make the run's execution, or find it again; gives what each task fetches.

    BadRequest before anything is written, where the params name what does not exist.
    """
    config = _config(params)
    with opened() as connection:
        known = sessions.load(connection)
        session = session_for(run, known)
        request = _request(run, params, session)
        made = _plan(connection, request, known, config)
        plan.check_chunks(len(made.codes), config.batch_size, config.max_workers, most_chunks)
        run_id = plan.free_run_id(connection, run.run_id)
    engine = BatchEngine(config, Database())
    batch_id = engine.start_batch(
        made.codes,
        mode=request.mode,
        run_id=run_id,
        session_date=session,
        windows=made.windows,
    )
    LOG.info("%s fetches %d stocks", engine.find(batch_id).label, len(made.codes))
    with opened() as connection:
        return _chunks(connection, batch_id, engine.chunks(batch_id))


def _plan(
    connection: "Connection", request: Request, known: Sessions, config: BatchConfig
) -> plan.Plan:
    if request.mode == Mode.FAILED:
        of = BatchController(connection).find(request.of or "")
        return plan.retry(plan.read_failed(connection, of.id), of.label)
    stocks, stored = plan.read_stocks(connection), plan.read_stored(connection)
    return plan.make(stocks, request, stored, known, config.overlap_sessions)


def _chunks(
    connection: "Connection", batch_id: str, numbers: Sequence[int]
) -> list[dict[str, Any]]:
    """Arguments of the mapped tasks. One at least: without any, all that follows were skipped."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT chunk, min(stock_code), max(stock_code) FROM batch_execution_details"
            " INNER JOIN batch_executions ON batch_executions.id = batch_execution_id"
            " WHERE uuid = %s::uuid GROUP BY chunk ORDER BY chunk",
            (batch_id,),
        )
        chunks = cursor.fetchall()
    wanted = set(numbers) or {chunks[0][0]}
    return [
        {"batch_id": batch_id, "chunk": number, "stocks": f"{number:03d}: {first}–{last}"}
        for number, first, last in chunks
        if number in wanted
    ]


def check_integrity(run_id: str) -> dict[str, Any]:
    """Close the execution and run all rules on it; findings by rule."""
    with opened() as connection:
        execution = execution_of(connection, run_id)
        if execution.status is not BatchStatus.COMPLETED:
            execution = BatchEngine(BatchConfig.of(execution.config), Database()).finish(
                execution.id
            )
        if execution.status is not BatchStatus.COMPLETED:
            raise BatchFailed(f"{execution.label} is {execution.status}: {execution.reason}")
        known = sessions.load(connection)
        session = execution.session_date or sessions.newest_complete(known, datetime.now(UTC))
        scope = quality.scope(execution.id, execution.mode, session, known, quality.CheckSettings())
        counts = quality.check(connection, scope, known)
    for rule, count in counts.items():
        LOG.info("%s: %d findings", rule, count)
    return counts


def start_refill(run_id: str) -> str | None:
    """Make the execution that fetches the gaps again, or find it; None: there are none."""
    with opened() as connection:
        execution = execution_of(connection, run_id)
        gaps = quality.gaps(connection, execution.id)
        if not gaps:
            return None
    LOG.info("%d stocks have gaps, %d sessions in all", len(gaps), sum(g.sessions for g in gaps))
    engine = BatchEngine(BatchConfig.of(execution.config), Database())
    return engine.start_batch(
        [gap.code for gap in gaps],
        mode=Mode.SYMBOLS,
        run_id=refill_of(execution),
        session_date=execution.session_date,
        windows={gap.code: (gap.first, gap.last) for gap in gaps},
    )


def end_refill(run_id: str, batch_id: str) -> dict[str, int]:
    """Close the refill and note which gaps are gone."""
    with opened() as connection:
        execution = execution_of(connection, run_id)
        BatchEngine(BatchConfig.of(execution.config), Database()).finish(batch_id)
        gaps = quality.gaps(connection, execution.id)
        missing = quality.still_missing(connection, execution.id)
        came = quality.record_refill(connection, execution.id, gaps, missing)
    LOG.info("%d sessions came, %d are missing still", came, sum(missing.values()))
    return {"refilled": came, "missing": sum(missing.values())}


def write_report(run_id: str, failed: Sequence[str]) -> dict[str, Any] | None:
    """Store the report on the execution and log it; `failed` are the run's failed tasks.

    An execution that its tasks left unfinished is marked as failed, so that it can be resumed.
    None where the run ended before it had an execution.
    """
    with opened() as connection:
        newest = notify.execution_of_run(connection, run_id)
        if newest is None:
            LOG.warning("the run has no execution: nothing to report")
            return None
        execution = BatchController(connection).find(newest)
        if failed and execution.status is BatchStatus.RUNNING:
            try:
                reason = f"tasks failed: {', '.join(failed)}; clear them to go on"
                BatchController(connection).fail(newest, by=AIRFLOW, reason=reason)
            except ForbiddenTransition as error:
                LOG.info("%s", error)
        made = report.write(connection, newest, refill_of(execution))
    LOG.info("\n%s", report.markdown(made))
    return made


def tell(run: Run, failed: Sequence[str], made: Mapping[str, Any] | None) -> str:
    """Tell people how the run ended."""
    with opened() as connection:
        migrate(connection)
        newest = notify.execution_of_run(connection, run.run_id)
        text = report.markdown(made) if made else None
        message = notify.run_message(run.run_id, run.attempt, failed, made, text)
        return notify.send_once(connection, message, newest)


def execution_of(connection: "Connection", run_id: str) -> Execution:
    """The newest execution of a run. BatchFailed where it has none."""
    newest = notify.execution_of_run(connection, run_id)
    if newest is None:
        raise BatchFailed(f"run {run_id} has no execution: clear its task `plan`")
    return BatchController(connection).find(newest)


def refill_of(execution: Execution) -> str:
    """Run id of the execution that fetches the gaps of this one again."""
    return f"{execution.run_id}:refill"


def session_for(run: Run, known: Sessions) -> date:
    """The session of the run's logical date; by hand the newest one that is over."""
    if by_hand(run):
        return sessions.newest_complete(known, datetime.now(UTC))
    return sessions.session_of(_moment(run))


def by_hand(run: Run) -> bool:
    """Whether somebody started it for now, not for a day of the schedule."""
    return run.run_type in BY_HAND or run.logical_date is None


def _moment(run: Run) -> datetime:
    assert run.logical_date is not None
    return run.logical_date


def _request(run: Run, params: Mapping[str, Any], session: date) -> Request:
    return parse(params, backfill=run.run_type == BACKFILL, session=session)


def _config(params: Mapping[str, Any]) -> BatchConfig:
    return BatchConfig.load(settings_of(params))
