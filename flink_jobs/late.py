"""Rows that came too late for a window, told in `market.late-events`.

A companion of each window model asks its own window function over the rows behind the watermark,
so it names each lost (row, window) pair. The watermark here may be ahead of the window's own: a
pair may be told that the window still took in, none is missed. That holds where one reader reads
the topic (SOURCE_PARALLELISM): behind several, one that was idle does not know how far the others
are. Rows in time fail the first filter, so the branch costs next to nothing.

A row too late for its place among ordered rows (OVER … ORDER BY event_time) is told with its own
time as the window. A session has no window before it ends: a row is told when the gap after it has
passed, with the window that it would have made alone.
"""

from collections.abc import Iterable, Mapping, Sequence

from flink_jobs.model import OVER, Model, Window
from flink_jobs.sinks import Column, append_kafka, escape, quote, with_clause

TOPIC = "market.late-events"
FIXED = (
    ("model", "STRING"),
    ("exchange", "STRING"),
    ("symbol", "STRING"),
    ("window_start", "TIMESTAMP(3)"),
    ("window_end", "TIMESTAMP(3)"),
)


def behind(view: str) -> str:
    """Name of the view of a view's late rows."""
    return f"{view}_behind"


def sink(view: str) -> str:
    """Name of the sink table for late rows of a view."""
    return f"{view}_late"


def views(models: Iterable[Model]) -> dict[str, str]:
    """Time column by view, for every view that the models cut into windows.

    Rows of another model are never late: that model has waited for the watermark itself.
    """
    listed = list(models)
    names = {one.name for one in listed}
    return {
        window.table: window.time_column
        for one in listed
        for window in one.windows
        if window.table not in names
    }


def view_ddl(view: str, time_column: str) -> str:
    """The view of rows that are behind the watermark."""
    time = quote(time_column)
    return (
        f"CREATE TEMPORARY VIEW {quote(behind(view))} AS\n"
        f"SELECT * FROM {quote(view)} WHERE {time} <= CURRENT_WATERMARK({time})"
    )


def sink_ddl(view: str, columns: Sequence[Column], servers: str, prefix: str) -> str:
    """The topic as a table, with the rows of one view as a nested object."""
    row = ", ".join(f"{quote(column.name)} {column.sink_type}" for column in columns)
    fields = [*FIXED, ("row", f"ROW<{row}>")]
    lines = ",\n".join(f"    {quote(name)} {kind}" for name, kind in fields)
    options = append_kafka(servers, f"{prefix}{TOPIC}")
    return f"CREATE TABLE {quote(sink(view))} (\n{lines}\n) {with_clause(options)}"


def insert(view: str, models: Iterable[Model], columns: Mapping[str, Sequence[Column]]) -> str:
    """`INSERT` of the late pairs of all models over one view."""
    branches = [
        _branch(model.name, window, columns[view])
        for model in models
        for window in model.windows
        if window.table == view
    ]
    return f"INSERT INTO {quote(sink(view))}\n" + "\nUNION ALL\n".join(branches)


def _branch(name: str, window: Window, columns: Sequence[Column]) -> str:
    listed = {column.name for column in columns}
    subject = [
        quote(column) if column in listed else f"CAST(NULL AS STRING) AS {column}"
        for column in ("exchange", "symbol")
    ]
    row = ", ".join(_plain(column) for column in columns)
    if window.kind == OVER:
        start = end = f"CAST({quote(window.time_column)} AS TIMESTAMP(3))"
        origin, passed = quote(behind(window.table)), "TRUE"
    elif window.kind == "SESSION":
        time = quote(window.time_column)
        gap = f"{window.length:g} * INTERVAL '1' SECOND"
        start, end = f"CAST({time} AS TIMESTAMP(3))", f"CAST({time} + {gap} AS TIMESTAMP(3))"
        origin = quote(behind(window.table))
        passed = f"{time} + {gap} <= CURRENT_WATERMARK({time})"
    else:
        start, end = "window_start", "window_end"
        origin = f"TABLE({window.over(behind(window.table))})"
        passed = "window_time <= CURRENT_WATERMARK(window_time)"
    return (
        f"SELECT '{escape(name)}', {', '.join(subject)}, {start}, {end}, ROW({row})\n"
        f"FROM {origin}\nWHERE {passed}"
    )


def _plain(column: Column) -> str:
    """The column as its type in the sink: a ROW is not cast field by field."""
    name = quote(column.name)
    return f"CAST({name} AS {column.sink_type})" if column.type != column.sink_type else name
