"""Progress of all executions on the event bus, as `batch_progress` events: an optional process.

    python -m dags.batch tell-bus

It listens to PostgreSQL as the page does, so it hears of every worker on every host. An event's
data are those of `ProgressManager.snapshot`; its key is the batch, so that a batch's events keep
their order. News that come faster than Kafka takes them are told as the newest state.
"""

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from dags.batch.live import RETRY_SECONDS, Hub, Trouble, Watcher

if TYPE_CHECKING:
    from connectors.kafka.bus import EventBus

log = logging.getLogger(__name__)

SOURCE = "batch"


async def tell(hub: Hub, bus: "EventBus", stop: asyncio.Event) -> None:
    """Publish what changes, until ``stop`` is set; a lost database is waited for."""
    while not stop.is_set():
        watcher = hub.join()
        work = asyncio.create_task(publish_news(watcher, bus))
        ending = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        except Trouble as error:
            log.warning("no news of the batch (%s): tried again", error)
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            for task in (work, ending):
                task.cancel()
            await asyncio.gather(work, ending, return_exceptions=True)
            hub.leave(watcher)


async def publish_news(watcher: Watcher, bus: "EventBus") -> None:
    """Publish every message of a watcher. Trouble ends it."""
    from connectors.kafka.bus import EventType

    while True:
        for message in await watcher.take():
            data = json.loads(message)
            event = bus.create_event(
                EventType.BATCH_PROGRESS,
                SOURCE,
                data,
                correlation_id=data["batch_id"],
                key=data["batch_id"],
            )
            # In a thread: it may have to wait for Kafka.
            await asyncio.to_thread(bus.publish, event)
