"""The report: numbers out of facts, and Markdown out of numbers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dags.batch.config import BatchConfig
from dags.batch.executions import Execution
from dags.batch.models import BatchStatus, Mode
from dags.batch.report import Facts, build, idle_seconds, markdown

BEGIN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Seconds after the begin."""
    return BEGIN + timedelta(seconds=seconds)


def facts(**values: Any) -> Facts:
    """Ten stocks, one of them failed, 120 calls in 20 seconds."""
    execution = Execution(
        id=1, uuid="u", label="batch_1", batch_type="all_stocks", mode=Mode.FULL,
        status=BatchStatus.COMPLETED, reason=None, total=10, processed=10, successful=9, failed=1,
        records_inserted=100, http_calls=120, start_time=BEGIN, end_time=at(30), run_id="run",
        session_date=BEGIN.date(), config=BatchConfig(_env_file=None).stored(),
    )  # fmt: skip
    known = Facts(
        execution=execution,
        outcomes=[
            ("completed", "stored", None, None, 6),
            ("completed", "unchanged", None, None, 2),
            ("completed", "no_data", None, None, 1),
            ("failed", None, "PERMANENT", "not_found", 1),
        ],
        slowest=[("7203", 900, 2)],
        failures=[("0001", "PERMANENT", "not_found", "HTTP 404: a | b\nc")],
        records=(2000, 100, 120, 3),
        span=(at(0), at(20)),
        control=[],
        findings=[("price_jump", "error", 1), ("price_jump", "warning", 2)],
        examples=[("error", "price_jump", "7203.T", BEGIN.date(), "moved")],
        refilled=[("7203", 2), ("130A", 0)],
        refill=None,
    )
    return known._replace(**values)


def test_counts() -> None:
    """Stocks by state, and the completed ones by outcome."""
    counts = build(facts())["counts"]
    assert counts == {
        "total": 10, "successful": 9, "failed": 1, "open": 0,
        "stored": 6, "unchanged": 2, "no_data": 1,
    }  # fmt: skip


def test_rate_against_the_limit() -> None:
    """5 a second and a burst of 20 allow 120 calls in 20 seconds: exactly the limit."""
    http = build(facts())["http"]
    assert http["per_second"] == 6.0
    assert http["share_of_limit"] == 1.0
    assert http["calls_per_stock"] == 12.0


def test_pauses_do_not_count() -> None:
    """Ten of twenty seconds were a pause: 60 calls in the others are below the limit of 70."""
    paused = facts(control=[("paused", at(5)), ("resumed", at(15))], records=(0, 0, 60, 0))
    http = build(paused)["http"]
    assert (http["seconds"], http["idle_seconds"]) == (10.0, 10.0)
    assert http["share_of_limit"] == round(60 / 70, 3)


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ([], 0),
        ([("paused", 5), ("resumed", 8)], 3),
        ([("paused", 5), ("stopped", 6), ("resumed", 8), ("failed", 10)], 3 + 10),
        ([("resumed", 5)], 0),
        ([("stopped", 25)], 0),
    ],
)
def test_idle_time(control: list[tuple[str, float]], seconds: float) -> None:
    """From what stops the work to its resumption, or to the end."""
    assert idle_seconds([(action, at(when)) for action, when in control], at(20)) == seconds


def test_nothing_done() -> None:
    """A run that failed before its first stock has no rate, and no division by zero."""
    http = build(facts(span=(None, None), records=(0, 0, 0, 0)))["http"]
    assert http["per_second"] is None
    assert http["share_of_limit"] is None


def test_errors_and_findings() -> None:
    """By class and code; by rule and severity."""
    report = build(facts())
    assert report["errors"] == {"PERMANENT": {"not_found": 1}}
    assert report["findings"]["by_rule"] == {"price_jump": {"error": 1, "warning": 2}}
    assert report["findings"]["examples"][0]["trade_date"] == "2026-11-20"
    assert report["refill"] == {"batch": None, "stocks": 2, "sessions": 2, "in_vain": 1}


def test_markdown() -> None:
    """A table each; what a source says cannot break it."""
    text = markdown(build(facts()))
    assert text.startswith("# batch_1: completed\n")
    assert "| 0001 | PERMANENT | not_found | HTTP 404: a \\| b c |" in text
    assert "| 7203 | 900 | 2 |" in text
    assert "## Gaps fetched again" in text


def test_markdown_leaves_out_what_is_not_there() -> None:
    """No empty tables."""
    text = markdown(build(facts(failures=[], findings=[], examples=[], refilled=[], slowest=[])))
    for words in ("Failed stocks\n", "Findings", "Worst", "Gaps", "Slowest"):
        assert f"## {words}" not in text
