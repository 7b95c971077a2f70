"""Progress of the batch on the event bus."""

import asyncio
import json
import queue

import pytest

from connectors.kafka.bus import Event, EventBus, EventType
from connectors.kafka.bus_memory import MemoryTransport
from dags.batch.live import Trouble, Watcher
from dags.batch.tell_bus import publish_news


async def test_news_become_events_with_the_batch_as_key_and_chain() -> None:
    """Data are the snapshot's; the lost database ends it with its reason."""
    bus = EventBus(MemoryTransport())
    seen: queue.Queue[Event] = queue.Queue()
    bus.subscribe(EventType.BATCH_PROGRESS, seen.put)
    bus.start()
    watcher = Watcher(None)
    task = asyncio.create_task(publish_news(watcher, bus))
    news = {"batch_id": "uuid-1", "status": "running", "progress": {"percentage": 12.5}}
    watcher.tell(1, json.dumps(news))
    event = await asyncio.to_thread(seen.get, timeout=5)
    watcher.fail("the database is gone")
    with pytest.raises(Trouble, match="gone"):
        await task
    bus.stop()
    assert dict(event.data) == news
    assert (event.key, event.correlation_id) == ("uuid-1", "uuid-1")
