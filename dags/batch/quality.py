"""Integrity checks: one SQL file a rule in `rules/`, each row it finds is a row of batch_findings.

A rule is a SELECT of severity (`info`, `warning`, `error`), symbol, trade_date, value, message. To
add one, put a file there; its name is the rule's name. It reads the batch's tables and these:

    check_scope     one row: execution_id, first_session, session_date, stale_before
    check_sessions  session_date, n: the sessions looked at, numbered
    check_stocks    code, symbol, status, outcome, error, is_listed, oldest and
                    newest (dates of its bars)
    check_bars      the stocks' bars since first_session: trade_date, n (null: not a session), open,
                    high, low, close, volume, splits, previous_close, previous_n (of the bar
                    before), is_repeated, later_splits (product of the splits after the bar)
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dags.batch.config import ROOT
from dags.batch.models import Mode
from dags.batch.sessions import Sessions

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

RULES = Path(__file__).with_name("rules")
MOST = 10_000
"""Findings kept of one rule."""


class CheckSettings(BaseSettings):
    """Environment variables `BATCH_CHECK_SESSIONS` and `BATCH_STALE_SESSIONS`."""

    model_config = SettingsConfigDict(
        env_prefix="BATCH_", env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore"
    )

    check_sessions: int = Field(250, ge=1, le=10_000)
    """Sessions back from the run's own that are looked at."""
    stale_sessions: int = Field(5, ge=1)
    """Sessions without a new bar after which a stock is called stale."""


class Scope(NamedTuple):
    """What is looked at."""

    execution_id: int
    first_session: date
    session_date: date
    stale_before: date


class Gap(NamedTuple):
    """Sessions of one stock to fetch again, both ends inclusive."""

    code: str
    first: date
    last: date
    sessions: int
    """Missing ones among them."""


def scope(
    execution_id: int, mode: Mode, session: date, sessions: Sessions, settings: CheckSettings
) -> Scope:
    """A backfill looks at its one session, all others at the last `check_sessions`."""
    back = 0 if mode == Mode.SESSION else settings.check_sessions - 1
    return Scope(
        execution_id=execution_id,
        first_session=sessions.back(session, back),
        session_date=session,
        stale_before=sessions.back(session, settings.stale_sessions),
    )


def rules(folder: Path = RULES) -> dict[str, str]:
    """SQL by name of rule."""
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.sql"))}


def check(connection: "Connection", wanted: Scope, sessions: Sessions) -> dict[str, int]:
    """Run all rules; their findings replace those of an earlier check of the same execution.

    Returns findings by rule, rules that found nothing included. One transaction, committed.
    """
    counts: dict[str, int] = {}
    with connection, connection.cursor() as cursor:
        _prepare(cursor, wanted, sessions)
        cursor.execute(
            "DELETE FROM batch_findings WHERE batch_execution_id = %s", (wanted.execution_id,)
        )
        for name, text in rules().items():
            cursor.execute(
                "INSERT INTO batch_findings"
                " (batch_execution_id, severity, rule, symbol, trade_date, value, message)"
                f" SELECT {wanted.execution_id:d}, severity, '{name}', symbol, trade_date, value,"
                f" message FROM ({text}) AS found LIMIT {MOST}"
            )
            counts[name] = cursor.rowcount
    return counts


PREPARE = """
CREATE TEMP TABLE check_scope ON COMMIT DROP AS
SELECT %(execution_id)s::integer AS execution_id, %(first_session)s::date AS first_session,
    %(session_date)s::date AS session_date, %(stale_before)s::date AS stale_before;

CREATE TEMP TABLE check_sessions ON COMMIT DROP AS
SELECT session_date, n FROM unnest(%(sessions)s::date[]) WITH ORDINALITY AS s (session_date, n);
CREATE UNIQUE INDEX ON check_sessions (session_date);

CREATE TEMP TABLE check_stocks ON COMMIT DROP AS
SELECT stocks.code, stocks.symbol, details.status, details.outcome,
    details.error_message AS error, stocks.status = 'listed' AS is_listed,
    dates.oldest, dates.newest
FROM batch_execution_details AS details
INNER JOIN stocks ON stocks.code = details.stock_code
CROSS JOIN LATERAL (
    SELECT min(trade_date) AS oldest, max(trade_date) AS newest
    FROM daily_bars WHERE daily_bars.symbol = stocks.symbol
) AS dates
WHERE details.batch_execution_id = %(execution_id)s;

CREATE TEMP TABLE check_bars ON COMMIT DROP AS
SELECT bars.symbol, bars.trade_date, check_sessions.n, bars.open, bars.high, bars.low, bars.close,
    bars.volume, bars.splits,
    lag(bars.close) OVER before AS previous_close,
    lag(check_sessions.n) OVER before AS previous_n,
    (bars.open, bars.high, bars.low, bars.close, bars.volume) = (
        lag(bars.open) OVER before, lag(bars.high) OVER before, lag(bars.low) OVER before,
        lag(bars.close) OVER before, lag(bars.volume) OVER before
    ) AS is_repeated,
    coalesce(exp(sum(ln(CASE WHEN bars.splits > 0 THEN bars.splits ELSE 1 END)) OVER (
        -- Backwards, so that the frame only grows: otherwise each row adds all up anew.
        PARTITION BY bars.symbol ORDER BY bars.trade_date DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )), 1) AS later_splits
FROM daily_bars AS bars
INNER JOIN check_stocks ON check_stocks.symbol = bars.symbol
LEFT JOIN check_sessions ON check_sessions.session_date = bars.trade_date
WHERE bars.trade_date >= %(first_session)s
WINDOW before AS (PARTITION BY bars.symbol ORDER BY bars.trade_date);
CREATE INDEX ON check_bars (symbol, trade_date);
ANALYZE check_sessions, check_stocks, check_bars;
"""


def _prepare(cursor: "Cursor", wanted: Scope, sessions: Sessions) -> None:
    """Make the tables that the rules read; they go with the transaction."""
    days = sessions.between(wanted.first_session, wanted.session_date)
    cursor.execute(PREPARE, {**wanted._asdict(), "sessions": list(days)})


def gaps(connection: "Connection", execution_id: int) -> list[Gap]:
    """What to fetch again: one window a stock over its missing sessions, those known to be
    without a trade left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, min(trade_date), max(trade_date), count(*)"
            " FROM batch_findings INNER JOIN stocks USING (symbol)"
            " WHERE batch_execution_id = %s AND rule = 'missing_session' AND severity = 'warning'"
            " GROUP BY code ORDER BY code",
            (execution_id,),
        )
        return [Gap(*row) for row in cursor.fetchall()]


def still_missing(connection: "Connection", execution_id: int) -> dict[str, int]:
    """Sessions by code that are missing even now, of those in `gaps`; stocks without any left
    out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, count(*) FROM batch_findings AS found INNER JOIN stocks USING (symbol)"
            " WHERE batch_execution_id = %s AND rule = 'missing_session' AND severity = 'warning'"
            " AND NOT EXISTS (SELECT FROM daily_bars WHERE daily_bars.symbol = found.symbol"
            " AND daily_bars.trade_date = found.trade_date) GROUP BY code",
            (execution_id,),
        )
        return dict(cursor.fetchall())


def record_refill(
    connection: "Connection", execution_id: int, found: Sequence[Gap], missing: dict[str, int]
) -> int:
    """Write an event a stock: how many of its missing sessions came. Returns their sum; commits."""
    refilled = {gap.code: gap.sessions - missing.get(gap.code, 0) for gap in found}
    with connection, connection.cursor() as cursor:
        # The task may be tried again after this.
        cursor.execute(
            "DELETE FROM batch_events WHERE batch_execution_id = %s AND action = 'refilled'",
            (execution_id,),
        )
        for code, count in refilled.items():
            cursor.execute(
                "INSERT INTO batch_events"
                " (batch_execution_id, stock_code, action, status, records_count)"
                " VALUES (%s, %s, 'refilled', %s, %s)",
                (execution_id, code, "success" if count else "failed", count),
            )
    return sum(refilled.values())
