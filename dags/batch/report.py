"""The report of an execution: what happened to its stocks, at which speed, and what was found."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from dags.batch import executions
from dags.batch.executions import Execution

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

SLOWEST = 10
FAILED_SHOWN = 50
FINDINGS_SHOWN = 20
Row = tuple[Any, ...]


class Facts(NamedTuple):
    """What a report is built from."""

    execution: Execution
    outcomes: Sequence[Row]
    """(status, outcome, error_class, error_code, stocks)"""
    slowest: Sequence[Row]
    """(stock_code, duration_ms, http_calls)"""
    failures: Sequence[Row]
    """(stock_code, error_class, error_code, error_message)"""
    records: Row
    """(fetched, new or different, HTTP calls, retries)"""
    span: tuple[datetime | None, datetime | None]
    """First start and last end of a stock."""
    control: Sequence[tuple[str, datetime]]
    """(action, at) of pauses, stops, failures and resumptions, oldest first."""
    findings: Sequence[Row]
    """(rule, severity, count)"""
    examples: Sequence[Row]
    """(severity, rule, symbol, trade_date, message), worst first"""
    refilled: Sequence[Row]
    """(stock_code, sessions that came)"""
    refill: Execution | None
    """The execution that fetched the gaps again."""


def idle_seconds(control: Iterable[tuple[str, datetime]], end: datetime | None) -> float:
    """Seconds in which the execution was paused, stopped or failed, up to `end`."""
    total, since = 0.0, None
    for action, at in control:
        if action == "resumed" and since:
            total += (at - since).total_seconds()
            since = None
        elif action != "resumed" and since is None:
            since = at
    if since and end and end > since:
        total += (end - since).total_seconds()
    return total


def build(facts: Facts) -> dict[str, Any]:
    """The report, fit for JSON. Pure."""
    execution = facts.execution
    return {
        "batch": {
            "id": execution.id,
            "uuid": execution.uuid,
            "label": execution.label,
            "mode": execution.mode.value,
            "status": execution.status.value,
            "reason": execution.reason,
            "run_id": execution.run_id,
            "session_date": execution.session_date and execution.session_date.isoformat(),
            "started_at": execution.start_time.isoformat(timespec="seconds"),
            "ended_at": execution.end_time and execution.end_time.isoformat(timespec="seconds"),
        },
        "counts": _counts(facts),
        "records": dict(zip(("fetched", "changed"), facts.records[:2], strict=True)),
        "http": _http(facts),
        "errors": _errors(facts.outcomes),
        "failed_stocks": [
            dict(zip(("stock_code", "class", "code", "message"), row, strict=True))
            for row in facts.failures
        ],
        "slowest": [
            dict(zip(("stock_code", "duration_ms", "http_calls"), row, strict=True))
            for row in facts.slowest
        ],
        "findings": _findings(facts),
        "refill": {
            "batch": facts.refill.label if facts.refill else None,
            "stocks": len(facts.refilled),
            "sessions": sum(count or 0 for _, count in facts.refilled),
            "in_vain": sum(1 for _, count in facts.refilled if not count),
        },
        "settings": dict(execution.config),
    }


def _counts(facts: Facts) -> dict[str, int]:
    """Stocks by state, and the completed ones by outcome."""
    counts = {"total": facts.execution.total, "successful": 0, "failed": 0, "open": 0}
    counts |= {"stored": 0, "unchanged": 0, "no_data": 0}
    for status, outcome, _, _, stocks in facts.outcomes:
        name = {"completed": "successful", "failed": "failed"}.get(status, "open")
        counts[name] += stocks
        if status == "completed" and outcome in counts:
            counts[outcome] += stocks
    return counts


def _http(facts: Facts) -> dict[str, float | int | None]:
    """Calls, and the rate achieved against the limit over the time in which work was allowed."""
    _, _, calls, retries = facts.records
    first, last = facts.span
    limit = float(facts.execution.config.get("requests_per_second") or 0)
    burst = float(facts.execution.config.get("burst_limit") or 0)
    found: dict[str, float | int | None] = {
        "calls": calls,
        "calls_per_stock": round(calls / facts.execution.total, 3)
        if facts.execution.total
        else None,
        "retries": retries,
        "limit_per_second": limit,
        "seconds": None,
        "idle_seconds": None,
        "per_second": None,
        "share_of_limit": None,
    }
    if first is None or last is None:
        return found
    idle = idle_seconds(facts.control, last)
    busy = max(0.0, (last - first).total_seconds() - idle)
    found |= {"seconds": round(busy, 1), "idle_seconds": round(idle, 1)}
    if busy > 0:
        allowed = burst + limit * busy
        found["per_second"] = round(calls / busy, 2)
        # The burst is allowed on top, so a short run may well be above the limit a second.
        found["share_of_limit"] = round(min(1.0, calls / allowed), 3) if limit else None
    return found


def _errors(outcomes: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Failed stocks by class and code."""
    found: dict[str, dict[str, int]] = {}
    for status, _, kind, code, stocks in outcomes:
        if status == "failed":
            by_code = found.setdefault(kind or "unknown", {})
            by_code[code or "unknown"] = by_code.get(code or "unknown", 0) + stocks
    return found


def _findings(facts: Facts) -> dict[str, Any]:
    by_rule: dict[str, dict[str, int]] = {}
    for rule, severity, count in facts.findings:
        by_rule.setdefault(rule, {})[severity] = count
    names = ("severity", "rule", "symbol", "trade_date", "message")
    return {
        "by_rule": by_rule,
        "examples": [
            {
                name: value.isoformat() if name == "trade_date" and value else value
                for name, value in zip(names, row, strict=True)
            }
            for row in facts.examples
        ],
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table; none without rows."""
    lines = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not lines:
        return []
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *lines, ""]


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(text.replace("|", "\\|").split())


def markdown(report: Mapping[str, Any]) -> str:
    """The report for people. Pure."""
    batch, counts, http = report["batch"], report["counts"], report["http"]
    session = f", session {batch['session_date']}" if batch["session_date"] else ""
    lines = [f"# {batch['label']}: {batch['status']}", "", f"Mode {batch['mode']}{session}.", ""]
    if batch["reason"]:
        lines += [f"**{_cell(batch['reason'])}**", ""]
    lines += table(("stocks", "number"), counts.items())
    lines += table(("rows", "number"), report["records"].items())
    lines += table(("HTTP", ""), http.items())
    lines += _section(
        "Failed stocks by class",
        ("class", "code", "stocks"),
        ((kind, code, n) for kind, codes in report["errors"].items() for code, n in codes.items()),
    )
    lines += _section(
        "Failed stocks",
        ("code", "class", "error", "message"),
        (tuple(row.values()) for row in report["failed_stocks"]),
    )
    lines += _section(
        "Findings",
        ("rule", "severity", "number"),
        (
            (rule, severity, n)
            for rule, found in report["findings"]["by_rule"].items()
            for severity, n in found.items()
        ),
    )
    lines += _section(
        "Worst findings",
        ("severity", "rule", "symbol", "session", "message"),
        (tuple(row.values()) for row in report["findings"]["examples"]),
    )
    if report["refill"]["stocks"]:
        lines += ["## Gaps fetched again", "", *table(("", ""), report["refill"].items())]
    lines += _section(
        "Slowest stocks",
        ("code", "ms", "calls"),
        (tuple(row.values()) for row in report["slowest"]),
    )
    return "\n".join(lines)


def _section(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = table(heads, rows)
    return [f"## {title}", "", *lines] if lines else []


def write(connection: "Connection", execution_id: int, refill: str | None) -> dict[str, Any]:
    """Build the report, store it on the execution and give it; `refill` is the run id of the
    execution that fetched the gaps again. Commits."""
    with connection, connection.cursor() as cursor:
        report = build(gather(cursor, execution_id, refill))
        cursor.execute(
            "UPDATE batch_executions SET report = %s, report_markdown = %s WHERE id = %s",
            (json.dumps(report), markdown(report), execution_id),
        )
    return report


def gather(cursor: "Cursor", execution_id: int, refill: str | None) -> Facts:
    """Read what a report is built from."""

    def rows(text: str, *more: object) -> list[Row]:
        cursor.execute(text, (execution_id, *more))
        return cursor.fetchall()

    return Facts(
        execution=executions.find(cursor, execution_id),
        outcomes=rows(
            "SELECT status, outcome, error_class, error_code, count(*)"
            " FROM batch_execution_details WHERE batch_execution_id = %s GROUP BY 1, 2, 3, 4"
            " ORDER BY 5 DESC, 3, 4"
        ),
        slowest=rows(
            "SELECT stock_code, duration_ms, http_calls FROM batch_execution_details"
            " WHERE batch_execution_id = %s AND duration_ms IS NOT NULL"
            " ORDER BY duration_ms DESC, stock_code LIMIT %s",
            SLOWEST,
        ),
        failures=rows(
            "SELECT stock_code, error_class, error_code, error_message"
            " FROM batch_execution_details WHERE batch_execution_id = %s AND status = 'failed'"
            " ORDER BY error_class, error_code, stock_code LIMIT %s",
            FAILED_SHOWN,
        ),
        records=rows(
            "SELECT coalesce(sum(records_fetched), 0)::bigint,"
            " coalesce(sum(records_inserted), 0)::bigint, coalesce(sum(http_calls), 0)::bigint,"
            " coalesce(sum(retry_count), 0)::bigint"
            " FROM batch_execution_details WHERE batch_execution_id = %s"
        )[0],
        span=rows(
            "SELECT min(start_time), max(end_time) FROM batch_execution_details"
            " WHERE batch_execution_id = %s"
        )[0],
        control=rows(
            "SELECT action, logged_at FROM batch_events WHERE batch_execution_id = %s"
            " AND stock_code IS NULL AND action IN ('paused', 'stopped', 'failed', 'resumed')"
            " ORDER BY id"
        ),
        findings=rows(
            "SELECT rule, severity, count(*) FROM batch_findings WHERE batch_execution_id = %s"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        examples=rows(
            "SELECT severity, rule, symbol, trade_date, message FROM batch_findings"
            " WHERE batch_execution_id = %s AND severity <> 'info'"
            " ORDER BY severity, rule, id LIMIT %s",
            FINDINGS_SHOWN,
        ),
        refilled=rows(
            "SELECT stock_code, sum(records_count)::bigint FROM batch_events"
            " WHERE batch_execution_id = %s AND action = 'refilled' GROUP BY 1 ORDER BY 1"
        ),
        refill=executions.find_run(cursor, refill) if refill else None,
    )
