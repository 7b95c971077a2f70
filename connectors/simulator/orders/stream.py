"""Everything that arrives, in the order of its arrival: pure, seeded, without a clock."""

import heapq
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal, NamedTuple

from connectors.kafka import topics
from connectors.simulator.orders import damage, stories
from connectors.simulator.orders.stories import Event
from connectors.simulator.orders.world import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Kind = Literal["event", "late", "copy", "corrupt", "heartbeat"]


class Record(NamedTuple):
    """A record on its way into a topic.

    `at_us` is when it arrives (the record's own time), `event_us` when it happened. A heartbeat
    goes into every partition of its topic, anything else into the one of its key.
    """

    at_us: int
    topic: str
    key: str
    value: bytes
    kind: Kind
    event_us: int
    fields: dict[str, Any]
    note: str = ""
    """What is wrong with a corrupted one."""


def stream(settings: Settings) -> Iterator[Record]:
    """All records of a run, by arrival. Heartbeats say how far time has come in each topic."""
    waiting: list[tuple[int, int, Record]] = []
    number = 0
    period = round(settings.beat * 1e6)
    beat = settings.start_us + period
    random = Random(settings.seed)
    for event in _events(settings):
        while beat <= event.at_us:
            yield from _released(waiting, beat)
            yield from _heartbeats(beat, beat - round((settings.spread + 1) * 1e6))
            beat += period
        yield from _released(waiting, event.at_us)
        for record in _records(random, settings, event):
            number += 1
            heapq.heappush(waiting, (record.at_us, number, record))
    last = max((entry[0] for entry in waiting), default=beat)
    yield from _released(waiting, last)
    end = max(last, beat) + round(settings.quiet * 1e6)
    yield from _heartbeats(end, end)


def _released(waiting: list[tuple[int, int, Record]], until_us: int) -> Iterator[Record]:
    while waiting and waiting[0][0] <= until_us:
        yield heapq.heappop(waiting)[2]


def _events(settings: Settings) -> Iterator[Event]:
    """All events by the time they happen: stories begin by chance, at the wanted rate."""
    random = Random(settings.seed * 1_000_003 + 7)
    waiting: list[tuple[int, int, Event]] = []
    end = settings.start_us + round(settings.seconds * 1e6)
    rates = (settings.rate / stories.ORDERS_PER_SESSION, settings.rate / 2)
    due = [settings.start_us + _pause(random, rate) for rate in rates]
    tie = number = 0
    while min(due) < end:
        which = due.index(min(due))
        at = due[which]
        tell = (stories.session, stories.transactions)[which]
        number += 1
        for event in tell(random, settings, number, at):
            tie += 1
            heapq.heappush(waiting, (event.at_us, tie, event))
        due[which] = at + _pause(random, rates[which])
        while waiting and waiting[0][0] <= min(due):
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _pause(random: Random, rate: float) -> int:
    return round(random.expovariate(rate) * 1e6)


def _records(random: Random, settings: Settings, event: Event) -> Iterator[Record]:
    """The record of an event, maybe late, maybe with a copy or a corrupted one beside it."""
    time_field = "created_at" if event.topic == topics.RAW_EVENTS.name else "event_time"
    # Sources read milliseconds; so does whoever recomputes from the ledger.
    event_us = event.at_us // 1000 * 1000
    fields = {**event.fields, time_field: iso(event_us)}
    kind: Kind = "event"
    delay = random.uniform(0, 0.2)
    if random.random() < settings.late:
        kind, delay = "late", random.uniform(60, 3600)
    elif random.random() < settings.disorder:
        delay = random.uniform(0.2, settings.spread)
    at_us = event.at_us + round(delay * 1e6)
    value = json.dumps(fields, ensure_ascii=False).encode()
    record = Record(at_us, event.topic, event.key, value, kind, event_us, fields)
    yield record
    if random.random() < settings.copies:
        again = at_us + round(random.uniform(0, 30) * 1e6)
        yield record._replace(at_us=again, kind="copy")
    if random.random() < settings.corrupt:
        note, value = damage.damaged(random, fields, time_field)
        yield record._replace(value=value, kind="corrupt", fields={}, note=note)


def _heartbeats(at_us: int, event_us: int) -> Iterator[Record]:
    for topic in topics.ORDER_TOPICS:
        time_field = "created_at" if topic is topics.RAW_EVENTS else "event_time"
        fields = {"event_type": "heartbeat", time_field: iso(event_us)}
        value = json.dumps(fields).encode()
        yield Record(at_us, topic.name, "", value, "heartbeat", event_us, fields)


def iso(time_us: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    moment = EPOCH + timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
