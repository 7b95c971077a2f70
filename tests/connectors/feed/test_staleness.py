"""StalenessMonitor: silent streams against quiet ones."""

from connectors.feed.staleness import Change, StalenessMonitor

BUSY, QUIET = ("trades", "BTC-USDT"), ("trades", "XLM-USDT")


def monitor() -> StalenessMonitor:
    """Limit 10 s, three times the longest pause."""
    watched = StalenessMonitor({"trades": 10.0}, patience=3.0)
    watched.watch(BUSY, 0.0)
    watched.watch(QUIET, 0.0)
    return watched


def test_a_busy_stream_that_falls_silent_is_stale_after_the_limit() -> None:
    """Told once, with how long it has been silent."""
    watched = monitor()
    watched.seen(BUSY, 1.0)
    watched.seen(QUIET, 11.0)
    assert watched.check(11.0) == []
    assert watched.check(11.5) == [Change(BUSY, True, 10.5)]
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
    assert watched.seen(BUSY, 60.0) == Change(BUSY, False, 60.0)
    assert watched.stale == {QUIET}
    assert watched.limit(BUSY) == 10.0


def test_a_stream_that_never_sends_after_the_subscription_is_stale() -> None:
    """A venue that confirms and then sends nothing is found out."""
    assert len(monitor().check(10.5)) == 2
