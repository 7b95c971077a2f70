"""Figures of the batch in the text format of Prometheus, computed when they are asked for.

Those of stocks are of the newest execution. Those of processes are of the workers that hold a
stock on this host at the moment; the network's are the whole host's, since the system does not
count bytes by process.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import psutil
from psycopg2.extensions import connection as Connection

from dags.batch.config import BatchConfig
from dags.batch.models import BatchStatus
from dags.batch.progress import ProgressManager
from dags.batch.view import has_tables, newest, rows

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    """One value of a metric."""

    value: float
    labels: Mapping[str, str] = {}


class Metric(NamedTuple):
    """A metric with its samples. `kind` is gauge or counter."""

    name: str
    kind: str
    help: str
    samples: list[Sample]


def text(metrics: Iterable[Metric]) -> str:
    """The metrics as Prometheus reads them. Pure."""
    lines = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for sample in metric.samples:
            labels = ",".join(f'{name}="{_escape(v)}"' for name, v in sample.labels.items())
            series = f"{metric.name}{{{labels}}}" if labels else metric.name
            lines.append(f"{series} {_number(sample.value)}")
    return "\n".join(lines) + "\n"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def render(connection: Connection) -> str:
    """All figures now; none before the first batch has made the tables."""
    if not has_tables(connection):
        return "\n"
    number = newest(connection)
    stocks = [] if number is None else of_execution(connection, number)
    return text([*executions(connection), *stocks, *resources(connection)])


def executions(connection: Connection) -> list[Metric]:
    """How many executions there are in each state."""
    counted = {
        row["status"]: row["number"]
        for row in rows(
            connection, "SELECT status, count(*) AS number FROM batch_executions GROUP BY 1"
        )
    }
    samples = [Sample(counted.get(each.value, 0), {"status": each.value}) for each in BatchStatus]
    return [Metric("batch_executions", "gauge", "Executions by state.", samples)]


def of_execution(connection: Connection, number: int) -> list[Metric]:
    """Throughput, success, time per stock and errors of one execution."""
    progress = ProgressManager(connection).snapshot(number)
    counts, speed = progress["progress"], progress["throughput"]
    seconds = rows(
        connection,
        """SELECT coalesce(avg(duration_ms) / 1000.0, 0) AS mean,
                  coalesce(sum(retry_count), 0) AS retries
           FROM batch_execution_details
           WHERE batch_execution_id = %s AND status IN ('completed', 'failed')""",
        number,
    )[0]
    waiting = counts["total"] - counts["processed"] - len(progress["current_processing"])
    states = {
        "completed": counts["successful"],
        "failed": counts["failed"],
        "processing": len(progress["current_processing"]),
        "pending": max(0, waiting),
    }
    success = counts["successful"] / counts["processed"] if counts["processed"] else 1
    limit = progress["rate_limit"]
    metrics = [
        Metric(
            "batch_stocks",
            "gauge",
            "Stocks of the newest execution by state.",
            [Sample(value, {"state": state}) for state, value in states.items()],
        ),
        Metric(
            "batch_errors",
            "gauge",
            "Failed stocks of the newest execution by class of error.",
            [Sample(value, {"class": kind}) for kind, value in progress["errors"].items()],
        ),
    ]
    single = {
        "batch_stocks_per_minute": ("Stocks per minute, lately.", speed["stocks_per_minute"]),
        "batch_rows_per_minute": ("Stored rows per minute, lately.", speed["records_per_minute"]),
        "batch_success_ratio": ("Share of processed stocks that did not fail.", success),
        "batch_stock_seconds_mean": ("Mean time of a stock.", seconds["mean"]),
        "batch_retries": ("Retries of the processed stocks.", seconds["retries"]),
        "batch_http_calls": ("Calls to the source.", progress["http_calls"]),
        "batch_rows_stored": ("Rows that were new or different.", progress["records_inserted"]),
        "batch_rate_limit": ("Calls per second allowed now.", limit["rate"] if limit else 0),
    }
    return metrics + [
        Metric(name, "gauge", about, [Sample(value)]) for name, (about, value) in single.items()
    ]


def resources(connection: Connection) -> list[Metric]:
    """Processor, memory and network of the workers on this host, and of the host."""
    workers = [usage for pid in _pids(connection) if (usage := _usage(pid)) is not None]
    network = psutil.net_io_counters()
    return [
        _gauge("batch_worker_processes", "Workers of this host that hold a stock.", len(workers)),
        _gauge(
            "batch_worker_cpu_seconds",
            "Processor time that those workers have used.",
            sum(cpu for cpu, _ in workers),
        ),
        _gauge(
            "batch_worker_resident_bytes",
            "Memory of those workers; shared pages count once for each.",
            sum(memory for _, memory in workers),
        ),
        _gauge(
            "batch_host_memory_available_bytes",
            "Memory that this host has left.",
            psutil.virtual_memory().available,
        ),
        _gauge("batch_host_load", "Load of this host, last minute.", psutil.getloadavg()[0]),
        Metric(
            "batch_host_network_bytes_total",
            "counter",
            "Bytes over all interfaces of this host.",
            [
                Sample(network.bytes_recv, {"direction": "received"}),
                Sample(network.bytes_sent, {"direction": "sent"}),
            ],
        ),
    ]


def _gauge(name: str, about: str, value: float) -> Metric:
    return Metric(name, "gauge", about, [Sample(value)])


def _pids(connection: Connection) -> list[int]:
    """Processes of this host that hold a stock. A worker's id is host:pid:start."""
    host = BatchConfig.load().worker_host
    found = rows(
        connection,
        """SELECT DISTINCT split_part(worker_id, ':', 2) AS pid
           FROM batch_execution_details
           WHERE status = 'processing' AND split_part(worker_id, ':', 1) = %s""",
        host,
    )
    return [int(row["pid"]) for row in found if row["pid"].isdigit()]


def _usage(pid: int) -> tuple[float, int] | None:
    """(processor seconds, resident bytes) of a process; None if it has ended."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return times.user + times.system, int(process.memory_info().rss)
    except psutil.Error:
        return None
