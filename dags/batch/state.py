"""The states of an execution and of a stock, and which changes make sense. Pure."""

from collections.abc import Mapping

from dags.batch.errors import ForbiddenTransition
from dags.batch.models import BatchStatus, StockStatus

EXECUTION: Mapping[BatchStatus, frozenset[BatchStatus]] = {
    BatchStatus.RUNNING: frozenset(
        {BatchStatus.PAUSED, BatchStatus.STOPPED, BatchStatus.FAILED, BatchStatus.COMPLETED}
    ),
    BatchStatus.PAUSED: frozenset({BatchStatus.RUNNING, BatchStatus.STOPPED, BatchStatus.FAILED}),
    BatchStatus.STOPPED: frozenset({BatchStatus.RUNNING}),
    BatchStatus.FAILED: frozenset({BatchStatus.RUNNING}),
    # Final: the failed stocks of a completed execution are a new one's work.
    BatchStatus.COMPLETED: frozenset(),
}

STOCK: Mapping[StockStatus, frozenset[StockStatus]] = {
    StockStatus.PENDING: frozenset({StockStatus.PROCESSING}),
    StockStatus.PROCESSING: frozenset(
        {StockStatus.COMPLETED, StockStatus.FAILED, StockStatus.PENDING}
    ),
    StockStatus.COMPLETED: frozenset(),
    # Only while the breaker opens: the upstream refused us, the stock is not to blame.
    StockStatus.FAILED: frozenset({StockStatus.PENDING}),
}

REMEDY: Mapping[BatchStatus, str] = {
    BatchStatus.RUNNING: "it is running",
    BatchStatus.PAUSED: "it is paused: resume it first",
    BatchStatus.STOPPED: "it is stopped: resume it first",
    BatchStatus.FAILED: "it has failed: resume it first",
    BatchStatus.COMPLETED: "it is completed: start a new one, or retry its failed stocks",
}


def may_change(old: BatchStatus, new: BatchStatus) -> bool:
    """Whether an execution may go from `old` to `new`."""
    return new in EXECUTION[old]


def sources_of(new: BatchStatus) -> list[BatchStatus]:
    """The states from which an execution may go to `new`."""
    return [old for old, reachable in EXECUTION.items() if new in reachable]


def require_change(label: str, old: BatchStatus, new: BatchStatus) -> None:
    """ForbiddenTransition with the remedy if execution `label` may not go from `old` to `new`."""
    if not may_change(old, new):
        raise ForbiddenTransition(f"{label} cannot become {new}: {REMEDY[old]}")


def stock_may_change(old: StockStatus, new: StockStatus) -> bool:
    """Whether a stock may go from `old` to `new`."""
    return new in STOCK[old]
