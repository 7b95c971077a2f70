"""Waits for the end of a pause in Airflow's triggerer, where waiting costs no worker slot."""

import asyncio
import logging
from collections.abc import AsyncIterator
from threading import Lock
from time import monotonic
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from dags.batch import executions
from dags.batch.config import DatabaseSettings
from dags.batch.database import Database
from dags.batch.errors import SystemFault
from dags.batch.models import BatchStatus

LOG = logging.getLogger(__name__)
POLL_SECONDS = 1.0


class StatusBoard:
    """States of executions, asked for at most once a second over one connection.

    All chunks of a paused execution wait at once: a connection for each would use up the server's.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._database: Database | None = None
        self._seen: dict[str, tuple[float, BatchStatus]] = {}

    def status(self, batch_id: str) -> BatchStatus:
        """State of the execution, a second old at most. Blocks. UnknownBatch, SystemFault."""
        with self._lock:
            at, status = self._seen.get(batch_id, (float("-inf"), BatchStatus.PAUSED))
            if monotonic() - at < POLL_SECONDS:
                return status
            if self._database is None:
                # It is asked again soon: waiting for a lost database here would hold up all.
                self._database = Database(DatabaseSettings.load(batch_database_patience=0))
            status = self._database.run(lambda cursor: executions.find(cursor, batch_id)).status
            if status is BatchStatus.PAUSED:
                self._seen[batch_id] = (monotonic(), status)
            else:
                self._seen.pop(batch_id, None)
            return status


BOARD = StatusBoard()


class PauseTrigger(BaseTrigger):
    """Fires when the execution is no longer paused; the event has its `status`."""

    def __init__(self, batch_id: str) -> None:
        super().__init__()
        self.batch_id = batch_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, with which the triggerer makes it again."""
        return f"{__name__}.{type(self).__name__}", {"batch_id": self.batch_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask every second. A database that is away for a while ends no pause."""
        while True:
            try:
                status = await asyncio.to_thread(BOARD.status, self.batch_id)
            except SystemFault as error:
                LOG.warning("still waiting for %s: %s", self.batch_id, error)
                status = BatchStatus.PAUSED
            if status is not BatchStatus.PAUSED:
                yield TriggerEvent({"status": status.value})
                return
            await asyncio.sleep(POLL_SECONDS)
