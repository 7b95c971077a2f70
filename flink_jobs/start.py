"""Where a job starts to read, and from which window on it writes.

A window whose head was not read must not be written: it would replace a whole row by a part of
one. So a job that is to write from T on reads from T - longest window - lateness.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from flink_jobs.errors import JobError
from flink_jobs.model import Model


class Start(NamedTuple):
    """Kafka's startup mode and time (ms since the epoch), and the first instant to write."""

    mode: str
    millis: int
    first: datetime | None

    def variables(self) -> dict[str, str]:
        """Values of the variables that sources use."""
        return {"SCAN_STARTUP_MODE": self.mode, "SCAN_STARTUP_MILLIS": str(self.millis)}

    def condition(self, columns: Iterable[str]) -> str:
        """What rows of a model must fulfil to be written: a part of a WHERE, or nothing."""
        names = set(columns)
        column = next((c for c in ("window_start", "event_time") if c in names), None)
        if self.first is None or column is None:
            return ""
        text = self.first.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return f"CAST({column} AS TIMESTAMP(3)) >= TIMESTAMP '{text}'"


EARLIEST = Start("earliest-offset", 0, None)


def moment(text: str) -> datetime:
    """An ISO time; UTC where it has no zone. JobError for another text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise JobError(f"{text} is no time\n  to do: like 2026-11-22T08:00:00Z") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def after_lost_head(oldest: int, models: Iterable[Model], lateness: float) -> str:
    """Where to start from the beginning of a log that has lost its head, as an ISO time.

    `oldest`: time of the oldest record that is still there, in ms. Windows that may have begun
    before it are not whole.
    """
    longest = max((model.lookback for model in models), default=0.0)
    first = math.ceil(oldest / 1000 + longest + lateness)
    return datetime.fromtimestamp(first, UTC).isoformat()


def start_of(text: str, models: Iterable[Model], lateness: float) -> Start:
    """`earliest`, `latest` (wall clock: the first whole window from now on) or an ISO time."""
    if text == "earliest":
        return EARLIEST
    longest = max((model.lookback for model in models), default=0.0)
    if text == "latest":
        return Start("latest-offset", 0, datetime.now(UTC) + timedelta(seconds=longest + lateness))
    try:
        first = moment(text)
    except JobError:
        raise JobError(
            f"{text} is no start\n  to do: earliest, latest or a time like 2026-11-22T08:00:00Z"
        ) from None
    seconds = first.timestamp() - longest - lateness
    return Start("timestamp", max(math.floor(seconds * 1000), 0), first)
