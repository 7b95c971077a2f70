"""StalenessMonitor: silent streams against quiet ones, and why they are silent."""

from connectors.feed.staleness import Change, StalenessMonitor

BUSY, QUIET = ("trades", "BTC-USDT"), ("trades", "XLM-USDT")
BOOK = ("books", "BTC-USDT")


def monitor() -> StalenessMonitor:
    """Limit 10 s, three times the longest pause."""
    watched = StalenessMonitor({"trades": 10.0, "books": 10.0}, patience=3.0)
    watched.watch(BUSY, 0.0)
    watched.watch(QUIET, 0.0)
    return watched


def test_a_busy_stream_that_falls_silent_is_stale_after_the_limit() -> None:
    """Told once, with how long it has been silent."""
    watched = monitor()
    watched.seen(BUSY, 1.0)
    watched.seen(QUIET, 11.0)
    assert watched.check(11.0) == []
    assert watched.check(11.5) == [Change(BUSY, True, 10.5, "symbol")]
    assert watched.check(12.0) == []


def test_a_quiet_stream_is_not_stale_before_three_of_its_usual_pauses() -> None:
    """A symbol that trades every 8 s may be silent for 24 s."""
    watched = monitor()
    for second in (8.0, 16.0, 24.0):
        watched.seen(QUIET, second)
        watched.seen(BUSY, second)
    assert watched.limit(QUIET) == 24.0
    assert watched.check(47.9) == []
    assert {change.stream for change in watched.check(48.1)} == {BUSY, QUIET}


def test_recovery_is_told_with_how_long_the_silence_lasted() -> None:
    """The pause of an outage does not become the usual pause."""
    watched = monitor()
    watched.check(50.0)
    assert watched.stale == {BUSY, QUIET}
    assert watched.seen(BUSY, 60.0) == Change(BUSY, False, 60.0, "venue")
    assert watched.stale == {QUIET}
    assert watched.limit(BUSY) == 10.0


def test_a_time_without_reading_is_no_silence_of_the_venue() -> None:
    """Sockets left unread while Kafka is slow: no stream is stale for it, and none is thin."""
    watched = monitor()
    watched.seen(BUSY, 1.0)
    for second in (2.0, 9.0, 40.0):
        watched.rest(second)
        assert watched.check(second) == []
    watched.seen(BUSY, 40.5)
    assert watched.limit(BUSY) == 10.0


def test_a_silence_over_a_reconnect_is_told_from_its_own_beginning() -> None:
    """To subscribe again is no event."""
    watched = monitor()
    watched.seen(BUSY, 5.0)
    watched.check(20.1)
    watched.watch(BUSY, 30.0)
    assert watched.seen(BUSY, 31.0) == Change(BUSY, False, 26.0, "venue")


def test_a_stream_that_never_sends_after_the_subscription_is_stale() -> None:
    """A venue that confirms and then sends nothing is found out."""
    assert [change.cause for change in monitor().check(10.5)] == ["venue", "venue"]


def test_the_neighbours_of_a_silent_stream_tell_the_cause() -> None:
    """The symbol alone, its whole channel, or the whole venue."""
    watched = monitor()
    watched.watch(BOOK, 0.0)
    watched.seen(BOOK, 8.0)
    assert [(c.stream, c.cause) for c in watched.check(10.5)] == [
        (BUSY, "channel"),
        (QUIET, "channel"),
    ]
    watched.seen(BUSY, 11.0)
    watched.seen(QUIET, 20.0)
    assert {(c.stream, c.cause) for c in watched.check(33.5)} == {
        (BUSY, "venue"),
        (QUIET, "venue"),
        (BOOK, "venue"),
    }


def test_a_broken_book_recovers_by_word_of_its_keeper_only() -> None:
    """Updates counted since the last look may be from before the break."""
    watched = monitor()
    assert watched.mark_book(BOOK, 5.0)
    assert not watched.mark_book(BOOK, 6.0)
    assert watched.seen(BOOK, 7.0) is None
    assert watched.stale == {BOOK}
    assert watched.recover(BOOK, 8.0) == Change(BOOK, False, 3.0, "book")
    assert watched.recover(BOOK, 9.0) is None


def test_a_silence_is_usual_only_for_a_stream_known_to_make_such_pauses() -> None:
    """Nothing is known of a stream that has sent nothing yet."""
    watched = monitor()
    watched.seen(QUIET, 8.0)
    assert watched.is_usual(QUIET, 24.0)
    assert not watched.is_usual(QUIET, 24.1)
    assert not watched.is_usual(BUSY, 1.0)
