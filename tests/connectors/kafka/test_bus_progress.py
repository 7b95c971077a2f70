"""What may be committed, also over a rebalance."""

from connectors.kafka.bus_progress import Entry, Progress
from connectors.kafka.bus_transport import Partition, Record

HERE = Partition("bus.events", 0)


def record(offset: int) -> Record:
    """A record of one partition."""
    return Record(HERE, offset, b"k", b"", [])


def take(progress: Progress, offset: int) -> Entry | None:
    """Take a record on unless it is known."""
    return None if progress.known(record(offset)) else progress.add(record(offset), 1)


def test_the_position_is_the_first_unfinished_record() -> None:
    """Later records that are done do not move it; each position is told once."""
    progress = Progress()
    entries = [take(progress, offset) for offset in (5, 6, 8)]
    assert progress.to_commit() == {HERE: 5}
    for entry in entries[1:]:
        assert entry
        entry.left = 0
    assert progress.to_commit() == {}
    assert progress.unfinished() == {HERE: 3}
    assert entries[0]
    entries[0].left = 0
    assert progress.to_commit() == {HERE: 9}
    assert progress.unfinished() == {HERE: 0}


def test_records_that_come_again_after_a_rebalance_are_not_worked_on_twice() -> None:
    """Those in work are waited for, those done are passed, new ones are taken on."""
    progress = Progress()
    first, second = take(progress, 0), take(progress, 1)
    assert first
    assert second
    first.left = 0
    progress.lost(HERE)
    assert progress.to_commit() == {}
    assert take(progress, 0) is None
    assert take(progress, 1) is None
    third = take(progress, 2)
    assert third
    third.left = 0
    assert progress.to_commit() == {HERE: 1}
    second.left = 0
    assert progress.to_commit() == {HERE: 3}
