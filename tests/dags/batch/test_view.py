"""What the page reads: every query on real tables, and fit for JSON."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from dags.batch import view
from dags.batch.engine import BatchEngine
from dags.batch.models import Mode
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration


def start(run_id: str | None = None, codes: tuple[str, ...] = ("7203", "6758", "130A")) -> int:
    """An execution on which nobody works."""
    engine = BatchEngine()
    return engine.find(engine.start_batch(codes, mode=Mode.SYMBOLS, run_id=run_id)).id


def test_values_become_what_json_holds() -> None:
    """Times are ISO 8601 in UTC, to the millisecond."""
    moment = datetime(2026, 11, 20, 9, 0, 0, 123456, UTC)
    assert view.plain(moment) == "2026-11-20T09:00:00.123Z"
    assert [view.plain(each) for each in (date(2026, 11, 20), Decimal("1.5"), None)] == [
        "2026-11-20",
        1.5,
        None,
    ]


def test_there_may_be_no_execution(database: BatchDatabase) -> None:
    """Nothing is active, nothing is newest, the list is empty."""
    connection = database.connection
    assert view.active_executions(connection) == []
    assert view.newest(connection) is None
    assert view.executions(connection) == []


def test_list_goes_on_where_it_ended(database: BatchDatabase) -> None:
    """Newest first; `before` leaves none out and shows none twice."""
    made = [start() for _ in range(3)]
    first = view.executions(database.connection, limit=2)
    rest = view.executions(database.connection, before=first[-1]["id"], limit=2)
    assert [row["id"] for row in [*first, *rest]] == made[::-1]


def test_executions_of_an_airflow_run_are_found_by_its_name(database: BatchDatabase) -> None:
    """The newest of those that a run was cleared for; refills belong to the same run."""
    first = start("manual__2026-11-20T09:00:00+00:00")
    assert view.newest(database.connection, "manual__2026-11-20T09:00:00+00:00") == first
    second = start("manual__2026-11-20T09:00:00+00:00#2")
    assert view.newest(database.connection, "manual__2026-11-20T09:00:00+00:00") == second
    assert view.newest(database.connection, "manual__2026-11-20") is None
    for name in ("run", "run#2", "run:refill", "run#2:refill"):
        assert view.airflow_run(name) == "run"
    assert view.airflow_run(None) is None


def test_errors_are_counted_by_class_and_code(database: BatchDatabase) -> None:
    """Failed stocks and those that wait for a retry; what succeeded after a retry is none."""
    number = start()
    with database.connection.cursor() as cursor:
        cursor.execute(
            "UPDATE batch_execution_details SET error_class = 'TEMPORARY', error_code = 'timeout',"
            " error_message = 'no answer', retry_count = 1,"
            " status = CASE stock_code WHEN '7203' THEN 'failed' WHEN '6758' THEN 'pending'"
            " ELSE 'completed' END"
        )
    assert view.errors(database.connection, number) == [
        {
            "error_class": "TEMPORARY",
            "error_code": "timeout",
            "failed": 1,
            "retrying": 1,
            "example": "no answer",
        }
    ]
    failed = view.failed_stocks(database.connection, number)
    assert [row["stock_code"] for row in failed] == ["7203"]


def test_findings_come_gravest_first(database: BatchDatabase) -> None:
    """Errors, then warnings, whatever the order in which they were found."""
    number = start()
    with database.connection.cursor() as cursor:
        for severity, rule in (("info", "c"), ("warning", "b"), ("error", "a"), ("warning", "b")):
            cursor.execute(
                "INSERT INTO batch_findings (batch_execution_id, severity, rule, message)"
                " VALUES (%s, %s, %s, 'x')",
                (number, severity, rule),
            )
    found = view.findings(database.connection, number)
    assert [(row["rule"], row["found"]) for row in found["by_rule"]] == [
        ("a", 1),
        ("b", 2),
        ("c", 1),
    ]
    assert [row["rule"] for row in found["rows"]] == ["a", "b", "b", "c"]


def test_everything_the_page_gets_is_json(database: BatchDatabase) -> None:
    """No date, uuid or decimal is left."""
    number = start()
    connection = database.connection
    whole = [
        view.execution(connection, number),
        view.executions(connection),
        view.events(connection, number),
        view.findings(connection, number),
        view.report(connection, number),
    ]
    assert json.loads(json.dumps(whole)) == whole
