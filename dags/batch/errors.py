"""What can go wrong, and what is done about it.

    what happened                          class      action
    -------------------------------------  ---------  ------------------------------------------
    429                                    TEMPORARY  SLOW_DOWN: everyone waits, no retry is used
    time-out, 5xx, malformed body          TEMPORARY  RETRY, after max_retries RECORD
    connection, DNS, TLS                   TEMPORARY  RETRY, and counts as a refusal
    empty answer                           TEMPORARY  RETRY once, then NO_DATA
    no bars in the window                  PERMANENT  NO_DATA: the stock is completed
    404                                    PERMANENT  RECORD: the stock failed, the batch goes on
    401, 403, 400                          PERMANENT  RECORD, and counts as a refusal
    our own side, anything unexpected      SYSTEM     STOP: the execution failed, resumable
    database gone, disk or memory full     SYSTEM     STOP: DatabaseUnavailable, StorageFull

`breaker_threshold` refusals in a row pause the execution: it is us who are refused, not a stock.
"""

import zlib
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from connectors.stocks.bars import Failure

JITTER = 0.25
"""Delays are longer by up to this share, so that a storm's victims do not come back together."""
LONGEST_DELAY = 900.0


class BatchError(Exception):
    """Any error of the batch. The text says what to do."""


class ConfigError(BatchError, ValueError):
    """Settings are wrong. `faults` has one line for each fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class BatchInputError(BatchError, ValueError):
    """The list of stocks cannot be worked on."""


class UnknownBatch(BatchError, LookupError):
    """No execution has that id, uuid or label."""


class ForbiddenTransition(BatchError):
    """What was asked for makes no sense in the execution's state."""


class BatchStopped(BatchError):
    """A person stopped the execution. Trying again is pointless until somebody resumes it."""


class SystemFault(BatchError):
    """Not a stock but the system failed. The execution can be resumed."""


class BatchFailed(SystemFault):
    """The execution is `failed`: something unexpected, or a fault that another worker met."""


class DatabaseUnavailable(SystemFault):
    """The database was lost and did not come back in time."""


class DatabaseRefused(DatabaseUnavailable):
    """The database answers but does not let us in: password, role or database is wrong."""


class StorageFull(SystemFault):
    """The database's disk or memory is full."""


class MigrationError(SystemFault):
    """The tables are not what this version of the program expects."""


class ErrorType(StrEnum):
    """Whose fault it is, and whether it may pass."""

    TEMPORARY = "TEMPORARY"
    PERMANENT = "PERMANENT"
    SYSTEM = "SYSTEM"


class ErrorAction(StrEnum):
    """What becomes of the stock."""

    RETRY = "RETRY"
    """Back to pending, due after a delay."""
    RECORD = "RECORD"
    """Failed, with its reason."""
    NO_DATA = "NO_DATA"
    """Completed: there is nothing."""
    SLOW_DOWN = "SLOW_DOWN"
    """Back to pending without using up a retry; all workers wait."""
    REFUSED = "REFUSED"
    """Counts on the breaker; then RETRY or RECORD by its class."""
    STOP = "STOP"
    """The execution fails, resumable."""


class Classification(NamedTuple):
    """Class and action of a failure."""

    type: ErrorType
    action: ErrorAction


class Decision(NamedTuple):
    """What is done about a failure of one stock at its current try."""

    type: ErrorType
    action: ErrorAction
    """Never REFUSED: that is the flag below."""
    delay: float = 0.0
    """Of a RETRY, seconds."""
    refused: bool = False
    """Counts on the breaker."""


TABLE: dict[Failure, Classification] = {
    Failure.RATE_LIMITED: Classification(ErrorType.TEMPORARY, ErrorAction.SLOW_DOWN),
    Failure.TIMEOUT: Classification(ErrorType.TEMPORARY, ErrorAction.RETRY),
    Failure.SERVER_ERROR: Classification(ErrorType.TEMPORARY, ErrorAction.RETRY),
    Failure.MALFORMED: Classification(ErrorType.TEMPORARY, ErrorAction.RETRY),
    Failure.EMPTY: Classification(ErrorType.TEMPORARY, ErrorAction.RETRY),
    Failure.CONNECTION: Classification(ErrorType.TEMPORARY, ErrorAction.REFUSED),
    Failure.UNREACHABLE: Classification(ErrorType.TEMPORARY, ErrorAction.REFUSED),
    Failure.NO_DATA: Classification(ErrorType.PERMANENT, ErrorAction.NO_DATA),
    Failure.NOT_FOUND: Classification(ErrorType.PERMANENT, ErrorAction.RECORD),
    Failure.UNAUTHORIZED: Classification(ErrorType.PERMANENT, ErrorAction.REFUSED),
    Failure.FORBIDDEN: Classification(ErrorType.PERMANENT, ErrorAction.REFUSED),
    Failure.BAD_REQUEST: Classification(ErrorType.PERMANENT, ErrorAction.REFUSED),
    Failure.LOCAL: Classification(ErrorType.SYSTEM, ErrorAction.STOP),
    Failure.UNEXPECTED: Classification(ErrorType.SYSTEM, ErrorAction.STOP),
}


def classify(failure: Failure, retry_count: int = 0) -> Classification:
    """Class and action of `failure`; `retry_count` is how often the stock was retried already."""
    if failure is Failure.EMPTY and retry_count > 0:
        return TABLE[Failure.NO_DATA]
    return TABLE[failure]


class ErrorHandler:
    """Decides about failures with the settings of an execution. Pure.

    Args:
        max_retries: Of one stock.
        retry_delay: Before the first retry, seconds.
        backoff_multiplier: Each further delay is longer by this factor.
    """

    def __init__(self, max_retries: int, retry_delay: float, backoff_multiplier: float) -> None:
        self.max_retries = max_retries
        self.retry_delay = retry_delay
        self.backoff_multiplier = backoff_multiplier

    def decide(self, failure: Failure, stock_code: str, retry_count: int) -> Decision:
        """What to do about `failure` of a stock that was retried `retry_count` times."""
        kind, action = classify(failure, retry_count)
        refused = action is ErrorAction.REFUSED
        if refused:
            temporary = kind is ErrorType.TEMPORARY
            action = ErrorAction.RETRY if temporary else ErrorAction.RECORD
        if action is not ErrorAction.RETRY:
            return Decision(kind, action, refused=refused)
        if retry_count >= self.max_retries:
            last = ErrorAction.NO_DATA if failure is Failure.EMPTY else ErrorAction.RECORD
            return Decision(kind, last, refused=refused)
        return Decision(kind, action, self.next_delay(stock_code, retry_count), refused)

    def next_delay(self, stock_code: str, retry_count: int) -> float:
        """Seconds before the next try: retry_delay × multiplier^n, and a jitter by stock."""
        plain = self.retry_delay * self.backoff_multiplier**retry_count
        draw = zlib.crc32(f"{stock_code}:{retry_count}".encode()) / 0xFFFFFFFF
        return min(LONGEST_DELAY, plain * (1 + JITTER * draw))
