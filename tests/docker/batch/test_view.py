"""The terminal of `make batch`: pace, time to go, and that every state can be drawn."""

import io

import pytest
from rich.console import Console

from docker.batch.tables import Execution, Progress
from docker.batch.view import BatchState, clock, plain, screen

EXECUTION = Execution(1, "u", "batch_1", "running", 3800, 0, 0, None, "run", None)
HALF = Progress(EXECUTION, {"completed": 1890, "failed": 10, "pending": 1900}, {"PERMANENT": 10})


def shown(state: BatchState) -> str:
    """The screen as text."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(screen(state, {"Airflow": "http://127.0.0.1:1"}))
    return console.export_text()


def test_nothing_is_estimated_while_nothing_is_finished() -> None:
    """No pace, no time to go, and no division by zero."""
    state = BatchState(progress=Progress(EXECUTION, {"pending": 3800}), fetching=5)
    assert state.per_second is None
    assert state.remaining is None
    assert "time to go: -" in shown(state)
    assert "planning" in shown(BatchState())


def test_time_to_go_follows_from_the_pace() -> None:
    """1,900 stocks in 380 s are 5 a second; as many are left."""
    state = BatchState(progress=HALF, fetching=380)
    assert state.per_second == 5
    assert state.remaining == 380
    text = shown(state)
    assert "1,900 of 3,800  50.0%" in text
    assert "300 stocks/min   6:20 to go" in text
    assert "failed 10 (10 PERMANENT)" in text


def test_line_for_a_log_has_the_same_numbers() -> None:
    """Where the output is no terminal."""
    line = plain(BatchState(progress=HALF, fetching=380, elapsed=400, tasks=["fetch"], calls=1905))
    assert "1,900 of 3,800 stocks, 6:20 to go, 10 failed, 1,905 requests" in line


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34")])
def test_clock(seconds: float, text: str) -> None:
    """Minutes and seconds."""
    assert clock(seconds) == text
