"""What a rule would have told: its SELECT over the topics, with the rule as set and changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flink_jobs import alerts, bounded, postgres, rules
from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError
from flink_jobs.rules import Change
from flink_jobs.text import aligned

ALERTS = """
SELECT to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), subject, severity, count,
    value, threshold
FROM {schema}.alerts
WHERE rule_id = %s AND event_time >= %s AND (%s::timestamptz IS NULL OR event_time < %s)
ORDER BY event_time, subject
"""


@dataclass(frozen=True)
class Told:
    """Alerts of one setting of the rule."""

    setting: str
    alerts: tuple[tuple[Any, ...], ...]
    """Time, subject, severity, count, value, threshold."""


def backtest(
    catalog: Catalog,
    rule: str,
    pattern: str,
    change: Change,
    first: datetime,
    last: datetime | None = None,
) -> tuple[Told, Told]:
    """Alerts of the present setting and of the changed one, of first ≤ event_time < last.

    Rules are those of now all the time, unlike in the live job, where each row was judged by the
    rule of its moment. JobError for an unknown rule.
    """
    model = catalog.model(catalog.key(rule))
    if alerts.TOPIC not in model.sinks:
        raise JobError(f"{rule} is no rule\n  to do: `python -m flink_jobs rules list` lists them")
    # An alert over rows before it needs those; what is told before `first` is left out below.
    start = "earliest" if bounded.reaches_far(catalog, model) else first.isoformat()

    def told(setting: str, what: Change | None) -> Told:
        def prepare(ours: Catalog) -> None:
            if what:
                rules.change(ours, rule, pattern, what, "backtest")

        with (
            bounded.computed(catalog, [model], start, prepare=prepare) as schema,
            postgres.connect(catalog.variables["DATABASE"]) as cursor,
        ):
            cursor.execute(ALERTS.format(schema=schema), (rule, first, last, last))
            return Told(setting, tuple(cursor.fetchall()))

    return told("as set", None), told("changed", change)


def lines(both: Sequence[Told], most: int = 50) -> list[str]:
    """Counts beside each other, then each alert that only one of the settings tells."""
    names = [{(row[0], row[1]) for row in one.alerts} for one in both]
    table = [["", "alerts", "critical", "subjects", "first", "last"]]
    for one in both:
        rows = one.alerts
        critical = sum(row[2] == "critical" for row in rows)
        subjects = len({row[1] for row in rows})
        ends = [rows[0][0], rows[-1][0]] if rows else ["", ""]
        table.append([one.setting, str(len(rows)), str(critical), str(subjects), *ends])
    found = aligned(table)
    for one, other in zip(both, reversed(names), strict=True):
        only = [row for row in one.alerts if (row[0], row[1]) not in other]
        for row in only[:most]:
            value = "none" if row[4] is None else f"{row[4].normalize():f}"
            found.append(f"only {one.setting}: {row[0]} {row[1]} {row[2]} value {value}")
        if len(only) > most:
            found.append(f"only {one.setting}: and {len(only) - most} more")
    return found
