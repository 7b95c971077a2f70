"""The words of the batch: states and what moves between its parts."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple


class BatchStatus(StrEnum):
    """State of an execution."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    """The system failed, not a stock. Can be resumed."""
    STOPPED = "stopped"
    """By a person. Can be resumed."""


class StockStatus(StrEnum):
    """State of one stock in an execution."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class Outcome(StrEnum):
    """How a stock was completed."""

    STORED = "stored"
    """Rows were new or different."""
    UNCHANGED = "unchanged"
    """The source sent what was there already."""
    NO_DATA = "no_data"
    """The source has no bars in the window asked for."""


class Mode(StrEnum):
    """Which stocks, and how much of each."""

    FULL = "full"
    """Every listed stock, whole history."""
    DIFFERENTIAL = "differential"
    """Every listed stock, from its last stored session with an overlap."""
    SYMBOLS = "symbols"
    """The stocks named, like differential."""
    FAILED = "failed"
    """The failed stocks of an earlier execution."""
    SESSION = "session"
    """Every listed stock, one session: what a backfill does."""


class WorkItem(NamedTuple):
    """A claimed stock."""

    detail_id: int
    batch_execution_id: int
    stock_code: str
    symbol: str
    fetch_from: date | None
    """None: the whole history."""
    fetch_to: date | None
    retry_count: int
    lease_token: int


class ProcessResult(NamedTuple):
    """What became of one stock."""

    success: bool
    records_count: int
    """Rows that were new or different."""
    error_message: str | None = None


class Counts(NamedTuple):
    """Stocks of an execution by state."""

    total: int
    completed: int
    failed: int
    processing: int

    @property
    def processed(self) -> int:
        """Those that are done, one way or the other."""
        return self.completed + self.failed
