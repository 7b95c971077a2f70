"""Differences as people read them."""

from decimal import Decimal

from flink_jobs.tables import Pair, shown

COLUMNS = (("symbol", "text"), ("volume", "numeric"), ("count", "bigint"))
TWO = Pair("bars", "analytics", "computed", ("symbol",), COLUMNS)


def row(volume: str, count: int = 1) -> dict[str, object]:
    """A row of the table."""
    return {"symbol": "BTC", "volume": Decimal(volume), "count": count}


def test_a_changed_row_shows_only_what_differs() -> None:
    """The key, then old and new of each column."""
    assert list(shown(TWO, [("changed", row("1"), row("2.5"))])) == ["bars (BTC): volume 1 → 2.5"]


def test_a_row_on_one_side_is_named_by_its_key() -> None:
    """Whichever side it is on."""
    found = [("missing", None, row("1")), ("unexpected", row("1"), None)]
    assert list(shown(TWO, found)) == ["bars (BTC): missing", "bars (BTC): unexpected"]


def test_many_differences_are_cut_with_their_number() -> None:
    """Nobody reads a thousand lines."""
    told = list(shown(TWO, [("missing", None, row("1"))] * 5, most=2))
    assert told == ["bars (BTC): missing"] * 2 + ["bars: and 3 more"]


def test_rows_lie_in_time_by_window_or_event() -> None:
    """The first of the columns that there is."""
    assert TWO.range_column is None
    window = Pair("t", "a", "b", ("x",), (("event_time", ""), ("window_start", "")))
    assert (window.range_column, window.end_column) == ("window_start", "window_start")
    ended = Pair("t", "a", "b", ("x",), (("window_start", ""), ("window_end", "")))
    assert (ended.range_column, ended.end_column) == ("window_start", "window_end")
