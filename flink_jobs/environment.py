"""The engine: a Flink TableEnvironment that tells faults in words."""

import re
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.table import EnvironmentSettings, TableEnvironment

from flink_jobs.catalog import guess
from flink_jobs.errors import SqlError
from flink_jobs.render import Step

PLACE = re.compile(r"(?:From|at) line (\d+), column (\d+)")
CAUSE = re.compile(r"^(?:Caused by: |: )?((?:[a-z_]\w*\.)+[A-Z]\w*(?:\$\w+)?): (.*)$")
UNKNOWN = re.compile(r"Column '([^']+)' not found in any table")
WORDS = (
    ("HOP table function", "HOP"),
    ("CUMULATE table function", "CUMULATE"),
    ("OVER", "OVER"),
    ("'merge'", "FIRST_VALUE"),
    ("requires the timecol", "DESCRIPTOR"),
    ("Sort on a non-time-attribute", "ORDER"),
)
"""Faults that Flink finds without a place, and the word of the SELECT that they are about."""
REMEDIES = (
    ("integral multiple of", "choose a window that is a multiple of its step"),
    (
        "All aggregates must be computed on the same window",
        "nest: the second OVER in an outer SELECT",
    ),
    ("Over Agg: Unsupported use of OVER windows", "nest: the second OVER in an outer SELECT"),
    ("Non-time attribute sort", "order an OVER window by event_time, or by PROCTIME()"),
    ("Sort on a non-time-attribute", "streams are sorted by event_time first, or in a Top-N"),
    ("requires the timecol", "cut windows by event_time, the column with the watermark"),
    ("'merge'", "FIRST_VALUE goes by arrival: MIN(price_in_order) holds the first by event time"),
    ("TIMESTAMP", "compare times with times: TO_TIMESTAMP_LTZ(ts_event / 1000, 3), or event_time"),
    ("Cannot apply", "CAST one side: the message names the types that go together"),
    ("Column count mismatch", "both sides of UNION ALL need the same columns"),
    ("illegal in WHERE", "conditions on aggregates belong into HAVING, after GROUP BY"),
    ("not found in any table", "check the name; `python -m flink_jobs sources` shows the columns"),
    ("not found; did you mean", "correct the name"),
    ("Object '", "name a view of sql/views or another model"),
    (
        "No match found for function",
        "check the function's name, and its arguments' number and type",
    ),
    ("is not being grouped", "add the column to GROUP BY, or aggregate it"),
    ("Column 'window_start' is ambiguous", "rename the columns of the inner window first"),
    ('Encountered "', "a reserved word as a name needs backticks: `value`, `open`"),
    (
        "Could not find any factory",
        "the connector's jar is not in Flink's lib folder: `make setup`",
    ),
)


class Engine:
    """One TableEnvironment: one job."""

    def __init__(self, settings: dict[str, str], debug: bool = False, batch: bool = False) -> None:
        """Start an environment; inside `flink run` it belongs to that cluster."""
        self.debug = debug
        modes = EnvironmentSettings
        mode = modes.in_batch_mode() if batch else modes.in_streaming_mode()
        self.table_env = TableEnvironment.create(mode)
        self.configure(settings)

    def configure(self, settings: dict[str, str]) -> None:
        """Set Flink options."""
        for key, value in settings.items():
            self.table_env.get_config().set(key, value)

    def run(self, step: Step) -> Any:
        """Execute one statement. SqlError tells file, line and remedy of what is wrong."""
        try:
            return self.table_env.execute_sql(step.sql)
        except Exception as error:
            raise self._told(error, step) from (error if self.debug else None)

    def describe(self, query: Step) -> str:
        """Resolved schema of a query, as text. SqlError as for `run`."""
        try:
            return str(self.table_env.sql_query(query.sql).get_resolved_schema())
        except Exception as error:
            raise self._told(error, query) from (error if self.debug else None)

    def explain_query(self, query: Step) -> str:
        """Optimized plan of one SELECT. SqlError with its file, as far as Flink tells a place."""
        try:
            return str(self.table_env.sql_query(query.sql).explain())
        except Exception as error:
            raise self._told(error, query) from (error if self.debug else None)

    def explain(self, sql: str) -> str:
        """Optimized plan of a statement set."""
        try:
            return str(self.table_env.explain_sql(sql))
        except Exception as error:
            raise self._told(error, Step(sql)) from (error if self.debug else None)

    def add_python(self, archive: Path) -> None:
        """Send an archive of Python modules to the workers."""
        self.table_env.add_python_file(str(archive))

    def _told(self, error: Exception, step: Step) -> SqlError:
        text = java_text(error)
        message = root_cause(text)
        line, column = place(text)
        path = step.source.path if step.source else ""
        at = step.line + line - 1 if step.source and line else step.line
        shown = ""
        if step.source and 0 < at <= len(step.source.text.splitlines()):
            shown = step.source.text.splitlines()[at - 1].strip()
        if step.source and not line:
            at = _line_of(message, step)
            shown = step.source.text.splitlines()[at - 1].strip()
        message += self._near(message, step)
        remedy = next((advice for sign, advice in REMEDIES if sign in message), "")
        return SqlError(
            message,
            path=path,
            line=at,
            column=column,
            text=shown or (step.sql.splitlines()[0] if not path else ""),
            remedy=remedy or "the message above is Flink's own; --debug shows its full stack",
        )

    def _near(self, message: str, step: Step) -> str:
        """The nearest column of the views that a query names, for one that is not there."""
        match = UNKNOWN.search(message)
        if match is None:
            return ""
        words = set(re.findall(r"\w+", step.sql))
        found: set[str] = set()
        for view in words & set(self.table_env.list_views()):
            schema = self.table_env.from_path(view).get_resolved_schema()
            found |= set(schema.get_column_names())
        return guess(match.group(1), sorted(found))


def _line_of(message: str, step: Step) -> int:
    """Line of the word that a message without a place is about, else where the SELECT starts."""
    word = next((word for sign, word in WORDS if sign in message), "")
    before, found, _ = step.sql.partition(word) if word else ("", "", "")
    return step.line + (before.count("\n") if found else 0)


def java_text(error: Exception) -> str:
    """Message and causes of a Java exception."""
    if isinstance(error, Py4JJavaError):
        return str(error)
    return f"{error}\n{getattr(error, '_stack_trace', '') or getattr(error, 'stack_trace', '')}"


def root_cause(text: str) -> str:
    """The innermost message that says something, without class names and stack lines."""
    message = text.strip().splitlines()[0]
    for line in text.splitlines():
        match = CAUSE.match(line.strip())
        if match and match.group(2).strip():
            message = match.group(2).strip()
    return re.sub(r"^From line \d+, column \d+ to line \d+, column \d+: ", "", message)


def place(text: str) -> tuple[int, int]:
    """Line and column that Flink's parser or validator names, or zeros."""
    match = PLACE.search(text)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)
