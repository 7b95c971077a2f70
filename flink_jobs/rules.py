"""Rules of alerts from the command line. Checks and history live in PostgreSQL, for pages too."""

import getpass
import json
from typing import Any, NamedTuple

import psycopg2

from flink_jobs import postgres
from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError
from flink_jobs.text import aligned

COLUMNS = ("rule_id", "pattern", "threshold", "severity", "cool_down", "enabled")
SHOWN = ("threshold", "severity", "cool_down", "enabled")


class Change(NamedTuple):
    """What to set; None leaves as it is."""

    threshold: str | None = None
    severity: str | None = None
    cool_down: int | None = None
    enabled: bool | None = None


def listed(catalog: Catalog) -> list[str]:
    """All rules as lines of a table; of several that fit, the one further down wins."""
    schema = catalog.variables["ANALYTICS_SCHEMA"]
    postgres.ensure(catalog, [])
    with postgres.connect(catalog.variables["DATABASE"]) as cursor:
        cursor.execute(
            f"SELECT {', '.join(COLUMNS)} FROM {schema}.alert_rules "
            "ORDER BY rule_id, precedence, pattern"
        )
        rows = [[_plain(value) for value in row] for row in cursor.fetchall()]
    return aligned([list(COLUMNS), *rows])


def change(catalog: Catalog, rule: str, pattern: str, what: Change, who: str = "") -> None:
    """Set a rule for the subjects of a pattern. JobError with PostgreSQL's words and hint."""
    schema = catalog.variables["ANALYTICS_SCHEMA"]
    postgres.ensure(catalog, [])
    try:
        with postgres.connect(catalog.variables["DATABASE"]) as cursor:
            cursor.execute(
                f"SELECT {schema}.set_alert_rule(%s, %s, %s, %s::numeric, %s, %s, %s)",
                (rule, pattern, who or getpass.getuser(), *what),
            )
    except JobError as error:
        raise JobError(_said(error)) from None


def history(catalog: Catalog, rule: str | None) -> list[str]:
    """Changes, newest first: when, who, which rule, what was and what is."""
    schema = catalog.variables["ANALYTICS_SCHEMA"]
    postgres.ensure(catalog, [])
    with postgres.connect(catalog.variables["DATABASE"]) as cursor:
        cursor.execute(
            "SELECT to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), "
            "changed_by, rule_id, pattern, old_rule, new_rule "
            f"FROM {schema}.alert_rule_history WHERE %s IS NULL OR rule_id = %s ORDER BY id DESC",
            (rule, rule),
        )
        rows = [[*row[:4], difference(row[4], row[5])] for row in cursor.fetchall()]
    return aligned([["changed_at", "changed_by", "rule_id", "pattern", "change"], *rows])


def difference(old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    """`threshold 100 > 200`, of what differs; a new rule with all its values."""
    if old is None or new is None:
        word, row = ("removed", old) if new is None else ("made", new)
        return f"{word}: " + json.dumps({name: (row or {}).get(name) for name in SHOWN})
    changed = [name for name in SHOWN if old[name] != new[name]]
    return ", ".join(f"{n} {_plain(old[n])} > {_plain(new[n])}" for n in changed) or "nothing"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _said(error: JobError) -> str:
    """PostgreSQL's message with the remedy of the hint, without the function's context."""
    cause = error.__cause__
    if isinstance(cause, psycopg2.Error) and cause.diag.message_primary:
        hint = cause.diag.message_hint or "`python -m flink_jobs rules list` shows what there is"
        return f"the rule is refused: {cause.diag.message_primary}\n  to do: {hint}"
    return str(error)
