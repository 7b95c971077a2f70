"""The batch on the terminal: start, watch, pause, resume, stop, retry, report, work, migrate.

A batch is named by its id, uuid or label, or by `last`. Orders that need Airflow find it by
AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORDS (`make -s env` prints those of the local stack).

Exit codes: 0 done, 1 the batch failed or was stopped, 2 wrong arguments or settings, or an order
that makes no sense now, 3 the database is gone, 4 Airflow is gone or refuses, 130 Ctrl-C.
"""

import getpass
import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from types import FrameType
from typing import Annotated, Any

import psycopg2
import typer
from psycopg2.extensions import connection as Connection

from dags.batch import actions, view, watch
from dags.batch.airflow_api import AirflowApi, AirflowError, load_access, log_in
from dags.batch.database import connect
from dags.batch.errors import BatchError, DatabaseUnavailable, SystemFault
from dags.batch.models import BatchStatus
from dags.batch.progress import ProgressManager
from dags.batch.request import BadRequest, code_of

EXIT_FAILED, EXIT_ARGUMENTS, EXIT_DATABASE, EXIT_AIRFLOW, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)

Batch = Annotated[str, typer.Argument(help="Id, uuid or label of the batch, or `last`.")]
Reason = Annotated[str | None, typer.Option(help="Why; is shown to everybody.")]


class What(StrEnum):
    """Modes that a person may start with."""

    DIFFERENTIAL = "differential"
    FULL = "full"
    SYMBOLS = "symbols"


def main() -> None:
    """Run the command line; every foreseen error is one line that names the remedy."""
    try:
        app()
    except AirflowError as error:
        _fail(error, EXIT_AIRFLOW)
    except DatabaseUnavailable as error:
        # PostgreSQL's own words come on several lines.
        _fail(" ".join(str(error).split()), EXIT_DATABASE)
    except SystemFault as error:
        _fail(error, EXIT_FAILED)
    except (BatchError, BadRequest) as error:
        _fail(error, EXIT_ARGUMENTS)
    except psycopg2.errors.UndefinedTable:
        _fail("the tables are not there: `python -m dags.batch migrate`", EXIT_DATABASE)
    except psycopg2.Error as error:
        words = " ".join(str(error).split())
        _fail(f"the database is gone ({words}): start it (`make up`)", EXIT_DATABASE)
    except BrokenPipeError:
        # Whoever read our output has gone, `| head` for example.
        sys.stderr.close()
        raise SystemExit(EXIT_FAILED) from None


def _fail(error: object, code: int) -> None:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(code)


@contextmanager
def _database() -> Iterator[Connection]:
    with closing(connect(autocommit=True)) as connection:
        yield connection


def _airflow() -> AirflowApi:
    return log_in(load_access())


def _me() -> str:
    """Who gives the orders, for the log of events."""
    return getpass.getuser()


@app.command()
def start(
    mode: Annotated[What, typer.Option(help="What to fetch.")] = What.DIFFERENTIAL,
    symbols: Annotated[
        str, typer.Option(help="Codes for mode symbols, comma separated: 7203,130A.")
    ] = "",
    follow: Annotated[bool, typer.Option("--watch", help="Show the progress to the end.")] = False,
) -> None:
    """Start a batch by Airflow."""
    codes = [code_of(each) for each in symbols.split(",") if each.strip()]
    if bool(codes) != (mode is What.SYMBOLS):
        raise BadRequest(["--symbols belongs to --mode symbols, which needs at least one code"])
    conf: dict[str, Any] = {"mode": mode.value, **({"symbols": codes} if codes else {})}
    api = _airflow()
    done = actions.start(lambda: api, conf)
    print(done.text)
    if follow and done.run_id:
        _watch_run(api, done.run_id)


@app.command("retry-failed")
def retry_failed(
    batch: Batch = actions.LAST,
    follow: Annotated[bool, typer.Option("--watch", help="Show the progress to the end.")] = False,
) -> None:
    """Start a new batch with the failed stocks of one that has ended."""
    api = _airflow()
    with _database() as connection:
        done = actions.retry_failed(connection, batch, lambda: api)
    print(done.text)
    if follow and done.run_id:
        _watch_run(api, done.run_id)


@app.command()
def status(
    batch: Annotated[
        str | None, typer.Argument(help="As for the other commands; without: the newest ones.")
    ] = None,
    follow: Annotated[bool, typer.Option("--watch", help="Show the progress to the end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="As the WebSocket of the page sends it.")
    ] = False,
) -> None:
    """How far a batch is; without a name: the newest ones, and with --watch the newest."""
    with _database() as connection:
        if batch is None and not follow and not as_json:
            watch.print_list(view.executions(connection, limit=20))
            return
        execution = actions.find(connection, batch or actions.LAST)
        if follow:
            _watch(connection, execution.id)
            return
        progress = ProgressManager(connection).snapshot(execution.id)
        if as_json:
            print(json.dumps(progress, indent=2))
        else:
            watch.print_progress(progress)


@app.command()
def pause(batch: Batch = actions.LAST, reason: Reason = None) -> None:
    """Let workers finish their current stock, and wait."""
    with _database() as connection:
        print(actions.pause(connection, batch, _me(), reason).text)


@app.command()
def resume(batch: Batch = actions.LAST) -> None:
    """Go on with a batch that is paused, stopped or has failed."""
    with _database() as connection:
        print(actions.resume(connection, batch, _me(), _airflow).text)


@app.command()
def stop(batch: Batch = actions.LAST, reason: Reason = None) -> None:
    """Let workers finish their current stock, and end. It can be resumed."""
    with _database() as connection:
        print(actions.stop(connection, batch, _me(), reason).text)


@app.command()
def report(
    batch: Batch = actions.LAST,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of Markdown.")] = False,
) -> None:
    """The report of a batch that has ended."""
    with _database() as connection:
        execution = actions.find(connection, batch)
        found = view.report(connection, execution.id)
    if found["report_markdown"] is None:
        raise BatchError(
            f"{execution.label} has no report yet, it is {execution.status}: "
            "it is written at the end (`status --watch`)"
        )
    if as_json:
        print(json.dumps(found["report"], indent=2, ensure_ascii=False))
    else:
        watch.print_markdown(found["report_markdown"])


@app.command()
def work(
    batch: Batch = actions.LAST,
    verbose: Annotated[bool, typer.Option(help="Log each stock.")] = False,
) -> None:
    """Work on a batch with this host, without Airflow: beside its workers, or instead of them."""
    from dags.batch.config import BatchConfig
    from dags.batch.database import Database
    from dags.batch.engine import BatchEngine

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(message)s", stream=sys.stderr
    )
    with _database() as connection:
        execution = actions.find(connection, batch)
    if execution.status is not BatchStatus.RUNNING:
        raise BatchError(
            f"{execution.label} is {execution.status}: there is nothing to work on "
            "(`resume` it, or `start` one)"
        )
    engine = BatchEngine(BatchConfig.of(execution.config), Database())

    def end(number: int, frame: FrameType | None) -> None:
        print("ending after the current stocks", file=sys.stderr)
        engine.interrupt()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
    result = engine.run(execution.uuid)
    counts = result.counts
    print(f"{execution.label}: {result.state}, {counts.processed} of {counts.total} stocks done")
    if not execution.run_id and result.state == "done":
        print(f"{execution.label} is {engine.finish(execution.uuid).status}")


@app.command()
def tell_bus() -> None:
    """Publish the progress of all executions on the event bus, until a signal."""
    import asyncio

    from connectors.kafka.bus import EventBus
    from dags.batch.errors import UnknownBatch
    from dags.batch.live import Hub
    from dags.batch.tell_bus import tell

    def progress(connection: Any, number: int) -> dict[str, Any] | None:
        try:
            return ProgressManager(connection).snapshot(number)
        except UnknownBatch:
            return None

    async def work() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await tell(Hub(lambda: connect(autocommit=True), progress), bus, stop)

    bus = EventBus()
    try:
        asyncio.run(work())
    finally:
        bus.stop()


@app.command()
def migrate() -> None:
    """Make the batch's tables, or bring them forward. Safe to run again."""
    from dags.batch.migrations import migrate as apply

    with _database() as connection:
        names = apply(connection)
    print("\n".join(names) if names else "all tables are there")


def _watch_run(api: AirflowApi, run_id: str) -> None:
    """Wait for the execution of an Airflow run, then watch it."""
    with _interruptible(), _database() as connection:
        number = watch.wait_for_execution(connection, api, run_id)
        if number is None:
            return
        _end(watch.watch(connection, number))


def _watch(connection: Connection, number: int) -> None:
    with _interruptible():
        _end(watch.watch(connection, number))


def _end(final: BatchStatus) -> None:
    if final is not BatchStatus.COMPLETED:
        raise SystemExit(EXIT_FAILED)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the watching, not the batch."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            "\nThe batch goes on. Look again: `python -m dags.batch status --watch`; "
            "end it: `python -m dags.batch stop`",
            file=sys.stderr,
        )
        raise SystemExit(EXIT_INTERRUPTED) from None
