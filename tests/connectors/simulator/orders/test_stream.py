"""The generator's stream: the same for the same seed, and truly what it says of itself."""

import json
from collections import Counter
from itertools import pairwise

from connectors.kafka import topics
from connectors.simulator.orders.stream import Record, iso, stream
from connectors.simulator.orders.world import Settings

START = 1_772_928_000_000_000
SETTINGS = Settings(START, 3600, seed=3, rate=0.5, late=0.01, copies=0.05, corrupt=0.05)


def records(kind: str = "", settings: Settings = SETTINGS) -> list[Record]:
    """The stream, or its records of one kind."""
    return [record for record in stream(settings) if not kind or record.kind == kind]


def test_the_same_seed_gives_the_same_bytes() -> None:
    """A run can be repeated; another seed is another run."""
    assert records() == records()
    assert records() != records(settings=SETTINGS._replace(seed=4))


def test_records_come_by_arrival_and_some_out_of_order() -> None:
    """Arrival never goes back; event time does, within the spread unless the record is late."""
    found = records()
    assert all(one.at_us <= two.at_us for one, two in pairwise(found))
    delays = [record.at_us - record.event_us for record in found if record.kind == "event"]
    assert 0 <= min(delays) < 500_000 < max(delays) <= SETTINGS.spread * 1e6 + 1000
    late = [record.at_us - record.event_us for record in found if record.kind == "late"]
    assert late
    assert min(late) >= 60e6


def test_no_record_but_late_ones_and_copies_is_behind_a_heartbeat() -> None:
    """A heartbeat promises that nothing older comes: windows may close on it."""
    newest: dict[str, int] = {}
    for record in records():
        if record.kind == "heartbeat":
            newest[record.topic] = record.event_us
        elif record.kind == "event":
            assert record.event_us > newest.get(record.topic, 0)


def test_every_topic_has_events_and_a_last_heartbeat_after_the_quiet_time() -> None:
    """All five topics are served; the last heartbeat closes what is open."""
    counts = Counter(record.topic for record in records("event"))
    assert set(counts) == {topic.name for topic in topics.ORDER_TOPICS}
    end = {record.topic: record.event_us for record in records("heartbeat")}
    assert all(at >= START + (3600 + SETTINGS.quiet) * 1e6 for at in end.values())


def test_copies_are_the_same_bytes_and_ids_are_unique() -> None:
    """A copy repeats an event to the byte; two events never share an id."""
    first = {record.value for record in records() if record.kind in ("event", "late")}
    copies = records("copy")
    assert copies
    assert all(record.value in first for record in copies)
    assert len(first) == sum(record.kind in ("event", "late") for record in records())


def test_there_is_fraud_to_find() -> None:
    """Bursts of large transactions within minutes, in places that are not the usual ones."""
    found = [
        record.fields
        for record in records("event", SETTINGS._replace(seconds=36_000))
        if record.topic == topics.TRANSACTIONS.name
    ]
    large = Counter(f["account_id"] for f in found if float(f["amount"]) > 100_000)
    assert max(large.values()) >= 3
    assert any(f["location"] != f["usual_location"] for f in found)


def test_customers_order_in_sessions_with_gaps() -> None:
    """Some orders of a customer lie minutes apart, others more than half an hour."""
    times: dict[str, list[int]] = {}
    for record in records("event", SETTINGS._replace(seconds=36_000)):
        if record.topic == topics.ORDER_EVENTS.name:
            times.setdefault(record.fields["customer_id"], []).append(record.event_us)
    gaps = [two - one for each in times.values() for one, two in pairwise(sorted(each))]
    assert min(gaps) < 600e6
    assert max(gaps) > 1800e6


def test_times_are_iso_8601_in_utc() -> None:
    """Milliseconds, and a Z."""
    assert iso(START + 123_456) == "2026-03-08T00:00:00.123Z"
    assert json.loads(records("event")[0].value).keys() & {"event_time", "created_at"}
