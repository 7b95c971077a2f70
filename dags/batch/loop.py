"""One worker's way through the stocks of a chunk, or of a whole execution."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dags.batch import executions, identity, items
from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.executions import Execution
from dags.batch.items import Remaining
from dags.batch.models import BatchStatus, Counts, WorkItem
from dags.batch.pace import Halt, rest
from dags.batch.worker import StockDataWorker

BUSY_SECONDS = 0.2
"""How often a worker looks that has nothing to do but wait for others."""
LOCKED_SECONDS = 0.05
"""How long another worker holds the lock of a row at most, roughly."""


class ChunkState(StrEnum):
    """Why the work on a chunk ended."""

    DONE = "done"
    """No stock of it is pending or being worked on."""
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"
    """The execution failed: somebody else's system fault."""
    INTERRUPTED = "interrupted"
    """This worker was told to end."""


class ChunkResult(NamedTuple):
    """How far the work on a chunk came."""

    state: ChunkState
    counts: Counts
    """Of this chunk's stocks; of all stocks where no chunk was named."""
    reason: str | None = None
    """Of a pause, a stop or a failure."""


ENDS = {
    BatchStatus.PAUSED: ChunkState.PAUSED,
    BatchStatus.STOPPED: ChunkState.STOPPED,
    BatchStatus.FAILED: ChunkState.FAILED,
    BatchStatus.COMPLETED: ChunkState.DONE,
}


class ChunkLoop:
    """Claims and works on stocks until none is left or the worker is not to go on.

    Args:
        worker: Works on one stock.
        execution: Whose stocks.
        chunk: Number of the chunk; None: any stock.
        interrupted: Whether the worker was told to end.
    """

    def __init__(
        self,
        worker: StockDataWorker,
        execution: Execution,
        chunk: int | None,
        interrupted: Callable[[], bool],
    ) -> None:
        self.worker = worker
        self.execution = execution
        self.chunk = chunk
        self.interrupted = interrupted
        self.config: BatchConfig = worker.config
        self.database: Database = worker.database
        self._uncounted = 0

    def run(self) -> ChunkResult:
        """Work; the counters are right when this returns."""
        while True:
            try:
                while self._step():
                    pass
            except Halt:
                self.worker.pacer.give_back()
            self._recount()
            result = self.database.run(
                lambda cursor: result_of(cursor, self.execution.id, self.chunk)
            )
            if result.state is not ChunkState.INTERRUPTED or self.interrupted():
                return result
            # Somebody paused and resumed the execution: go on.

    def _step(self) -> bool:
        """Work on a stock, or wait until one is due. False: none is left."""
        self._look()
        left = self.database.run(self._remaining)
        if not left.pending and not left.counts.processing:
            return False
        dead = self._dead() if left.due_in > 0 else []
        if left.due_in > 0 and not dead:
            self._idle(min(left.due_in, BUSY_SECONDS if left.counts.processing else left.due_in))
            return True
        # The token first: a stock is not to be held while its turn is waited for.
        self.worker.pacer.look = self._look
        self.worker.pacer.reserve()
        item = self._claim(dead)
        if item is None:
            self._idle(LOCKED_SECONDS)
            return True
        self.worker.process(item, self.execution)
        self._uncounted += 1
        if self._uncounted >= self.config.commit_interval:
            self._recount()
        return True

    def _claim(self, dead: Sequence[str]) -> WorkItem | None:
        def work(cursor: Cursor) -> WorkItem | None:
            return items.claim(
                cursor,
                self.execution.id,
                self.worker.name,
                self.config.lease,
                chunk=self.chunk,
                dead=dead,
            )

        return self.database.run(work)

    def _dead(self) -> list[str]:
        """Workers of this host that hold a stock but whose process has ended."""
        host = self.config.worker_host
        holders = self.database.run(lambda cursor: items.holders(cursor, self.execution.id, host))
        return [name for name in holders if identity.is_dead(name)]

    def _idle(self, seconds: float) -> None:
        """Wait without holding a token that others could use."""
        self.worker.pacer.give_back()
        rest(seconds, self._look, self.interrupted)

    def _look(self) -> None:
        """Halt if this worker is not to go on."""
        if self.interrupted():
            raise Halt("interrupted")
        status = self.database.run(lambda cursor: executions.status_of(cursor, self.execution.id))
        if status is not BatchStatus.RUNNING:
            raise Halt(status)

    def _remaining(self, cursor: Cursor) -> Remaining:
        return items.remaining(cursor, self.execution.id, self.chunk)

    def _recount(self) -> None:
        self._uncounted = 0
        self.database.run(lambda cursor: executions.recount(cursor, self.execution.id))


def result_of(cursor: Cursor, execution: int, chunk: int | None) -> ChunkResult:
    """Why the work on a chunk has ended, by what is in the tables."""
    found, left = executions.find(cursor, execution), items.remaining(cursor, execution, chunk)
    if found.status in ENDS:
        state = ENDS[found.status]
    elif left.pending or left.counts.processing:
        state = ChunkState.INTERRUPTED
    else:
        state = ChunkState.DONE
    return ChunkResult(state, left.counts, found.reason)
