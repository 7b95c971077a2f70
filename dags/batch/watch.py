"""How the terminal shows batches: lists, one batch, and a live progress bar."""

import select
import sys
from datetime import UTC, datetime
from typing import Any

from psycopg2.extensions import connection as Connection
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from dags.batch import view
from dags.batch.airflow_api import AirflowApi, AirflowError
from dags.batch.events import CHANNEL
from dags.batch.models import BatchStatus
from dags.batch.progress import ProgressManager

POLL_SECONDS = 2.0
ENDED = (BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.STOPPED)
COLORS = {"running": "blue", "completed": "green", "failed": "red"}


def watch(connection: Connection, number: int) -> BatchStatus:
    """Show the progress of an execution until it ends; give how it ended.

    Off a terminal it is one line each time something changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    if not sys.stdout.isatty():
        return _lines(connection, number)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>5.1f}%"),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rest]}"),
        console=Console(),
        expand=True,
    )
    with bar:
        task = bar.add_task("", total=None, rest="")
        while True:
            progress = ProgressManager(connection).snapshot(number)
            counts = progress["progress"]
            bar.update(
                task,
                description=f"{progress['label']} {colored(progress['status']).markup}",
                completed=counts["processed"],
                total=counts["total"],
                rest=rest(progress),
            )
            if progress["status"] in ENDED:
                break
            _wait(connection)
    print_progress(progress)
    return BatchStatus(progress["status"])


def _lines(connection: Connection, number: int) -> BatchStatus:
    told = ""
    while True:
        progress = ProgressManager(connection).snapshot(number)
        counts = progress["progress"]
        line = (
            f"{progress['label']} {progress['status']} {counts['processed']}/{counts['total']} "
            f"({counts['percentage']:.2f}%) {rest(progress)}"
        )
        if line != told:
            print(line, flush=True)
            told = line
        if progress["status"] in ENDED:
            return BatchStatus(progress["status"])
        _wait(connection)


def _wait(connection: Connection) -> None:
    """Until something changed, at most POLL_SECONDS."""
    if not connection.notifies:
        select.select([connection], [], [], POLL_SECONDS)
        connection.poll()
    connection.notifies.clear()


def rest(progress: dict[str, Any]) -> str:
    """What the bar does not show: failures, speed, end. Pure."""
    parts = [f"{progress['throughput']['stocks_per_minute']:.0f}/min"]
    if failed := progress["progress"]["failed"]:
        parts.append(f"{failed} failed")
    if eta := progress["estimated_completion"]:
        parts.append(f"done at {datetime.fromisoformat(eta).astimezone():%H:%M:%S}")
    if progress["status"] == BatchStatus.PAUSED and progress["reason"]:
        parts.append(str(progress["reason"]))
    return ", ".join(parts)


def wait_for_execution(connection: Connection, api: AirflowApi, run_id: str) -> int | None:
    """Id of the execution of an Airflow run, when it has one; None if it ended without.

    AirflowError if the run failed before.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    told = ""
    while (number := view.newest(connection, run_id)) is None:
        state = api.run_state(run_id)
        if state == "failed":
            raise AirflowError(
                f"run {run_id} failed before it came to fetch anything: the log of its failed "
                "task in Airflow says why"
            )
        if state == "success":
            print("there was nothing to fetch")
            return None
        if state != told:
            queued = "begins when the run before it has ended"
            looks = "looks at the systems and the list of stocks first"
            print(f"the run {queued if state == 'queued' else looks}", flush=True)
            told = state
        _wait(connection)
    return number


def print_progress(progress: dict[str, Any]) -> None:
    """One execution in a few lines."""
    counts = progress["progress"]
    table = Table.grid(padding=(0, 2))
    table.add_row("batch", progress["label"])
    table.add_row("uuid", progress["batch_id"])
    table.add_row("status", colored(progress["status"]))
    if progress["reason"]:
        table.add_row("reason", Text(str(progress["reason"])))
    table.add_row(
        "stocks",
        f"{counts['processed']} of {counts['total']} ({counts['percentage']:.2f}%), "
        f"{counts['failed']} failed",
    )
    for kind, number in progress["errors"].items():
        table.add_row("", f"{number} {kind}")
    table.add_row("rows", f"{progress['records_inserted']} new or changed")
    table.add_row("calls", str(progress["http_calls"]))
    if codes := progress["current_processing"]:
        table.add_row("at", " ".join(codes))
    table.add_row("speed", rest(progress))
    if progress["run_id"]:
        table.add_row("Airflow run", Text(str(progress["run_id"])))
    Console(soft_wrap=True).print(table)


def print_list(executions: list[dict[str, Any]]) -> None:
    """Executions as a table, newest first."""
    if not executions:
        print("no batch yet: `python -m dags.batch start --watch`")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "batch", "status", "mode", "started", "stocks", "failed", "rows"):
        table.add_column(name, justify="right" if name in ("stocks", "failed", "rows") else "left")
    for row in executions:
        started = datetime.fromisoformat(row["start_time"]).astimezone(UTC)
        table.add_row(
            str(row["id"]),
            row["label"],
            colored(row["status"]),
            row["mode"],
            f"{started:%Y-%m-%d %H:%M}Z",
            f"{row['processed_stocks']}/{row['total_stocks']}",
            str(row["failed_stocks"]),
            str(row["records_inserted"]),
        )
    # Off a terminal rich would cut rows at 80 columns.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def print_markdown(text: str) -> None:
    """Rendered on a terminal, as it is elsewhere."""
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        print(text)


def colored(status: str) -> Text:
    """The state in its color."""
    return Text(status, style=COLORS.get(status, "yellow"))
