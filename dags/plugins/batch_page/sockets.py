"""The page's WebSocket: progress of all executions, or of `?batch=` alone, as JSON texts."""

import asyncio
import json
from contextlib import closing, suppress
from typing import Any

import psycopg2
from fastapi import APIRouter, WebSocket, WebSocketDisconnect, status

from dags.batch import actions, view
from dags.batch.database import connect
from dags.batch.errors import BatchError, UnknownBatch
from dags.batch.live import Hub, TooManyWatchers, Trouble, Watcher
from dags.batch.progress import ProgressManager
from dags.plugins.batch_page.access import watcher_of

SEND_SECONDS = 15.0
LOGIN_SECONDS = 60.0
"""How often the login is looked at again: a token ends, a user may lose a role."""
REASON_BYTES = 120
"""The reason of a close frame may have 123 bytes."""

router = APIRouter()


def progress(connection: Any, number: int) -> dict[str, Any] | None:
    """The execution's progress; None if it is gone, or of another schema."""
    try:
        return ProgressManager(connection).snapshot(number)
    except UnknownBatch:
        return None


hub = Hub(lambda: connect(autocommit=True), progress)


@router.websocket("/ws/progress")
async def follow(websocket: WebSocket, batch: str | None = None) -> None:
    """First the state of now, then each change. A slow browser gets the newest state only."""
    if not await watcher_of(websocket):
        # Before the handshake: it is answered with 403.
        await websocket.close(status.WS_1008_POLICY_VIOLATION)
        return
    await websocket.accept()
    code, reason = await _serve(websocket, batch)
    with suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close(code, reason.encode()[:REASON_BYTES].decode(errors="ignore"))


async def _serve(websocket: WebSocket, batch: str | None) -> tuple[int, str]:
    """Tell news until an end; close code and reason."""
    watcher: Watcher | None = None
    tasks: set[asyncio.Task[None]] = set()
    try:
        only = await asyncio.to_thread(_number, batch)
        # Listen first, then look: what happens in between is told, if need be twice.
        watcher = hub.join(only)
        await asyncio.to_thread(hub.wait)
        first = await asyncio.to_thread(_now, only)
        tasks = {
            asyncio.create_task(_send(websocket, watcher, first)),
            asyncio.create_task(_until_gone(websocket)),
            asyncio.create_task(_while_allowed(websocket)),
        }
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    except UnknownBatch as error:
        return status.WS_1008_POLICY_VIOLATION, str(error)
    except (TooManyWatchers, Trouble, BatchError, psycopg2.Error) as error:
        return status.WS_1013_TRY_AGAIN_LATER, str(error).strip()
    except (TimeoutError, WebSocketDisconnect):
        return status.WS_1001_GOING_AWAY, "too slow, or gone"
    finally:
        if watcher is not None:
            hub.leave(watcher)
        for task in tasks:
            task.add_done_callback(_forget)
            task.cancel()
    return status.WS_1008_POLICY_VIOLATION, "log in again"


def _forget(task: asyncio.Task[None]) -> None:
    """Take note of how a task ended, so that nobody complains that nobody did."""
    if not task.cancelled():
        task.exception()


def _number(batch: str | None) -> int | None:
    """Id of the execution asked for; None: all are."""
    if batch is None:
        return None
    with closing(connect(autocommit=True)) as connection:
        return actions.find(connection, batch).id


def _now(only: int | None) -> list[str]:
    """The messages to begin with: what is active, and the newest execution."""
    with closing(connect(autocommit=True)) as connection:
        numbers = view.active_executions(connection) if only is None else [only]
        states = [progress(connection, number) for number in numbers]
        return [json.dumps(state) for state in states if state is not None]


async def _send(websocket: WebSocket, watcher: Watcher, first: list[str]) -> None:
    messages = first
    while True:
        for message in messages:
            async with asyncio.timeout(SEND_SECONDS):
                await websocket.send_text(message)
        messages = await watcher.take()


async def _until_gone(websocket: WebSocket) -> None:
    """Read and forget what the browser sends, to notice its end."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", status.WS_1001_GOING_AWAY))


async def _while_allowed(websocket: WebSocket) -> None:
    """Return when the login has ended."""
    while await watcher_of(websocket):  # noqa: ASYNC110 - nobody tells us when a login ends
        await asyncio.sleep(LOGIN_SECONDS)
