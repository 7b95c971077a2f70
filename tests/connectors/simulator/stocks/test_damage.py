"""What faults make of a chart."""

from typing import Any

import msgspec
import pytest

from connectors.simulator.stocks import chart
from connectors.simulator.stocks.damage import damage, empty
from connectors.simulator.stocks.faults import Fault
from tests.connectors.simulator.stocks.harness import TODAY, world

MARKET = world()
Rows = list[tuple[Any, ...]]


def sound() -> chart.Document:
    """A month of bars."""
    series = MARKET.series("7203.T")
    query = chart.parse({"range": "1mo"}, series, TODAY)
    return chart.answer(MARKET.issues["7203.T"], series, query, TODAY)


def rows(document: chart.Document) -> Rows:
    """Time, open, high, low, close, volume, adjusted close of each bar."""
    result = document["chart"]["result"][0]
    quote = result["indicators"]["quote"][0]
    names = ("open", "high", "low", "close", "volume")
    adjusted = result["indicators"]["adjclose"][0]["adjclose"]
    columns = [result["timestamp"], *(quote[name] for name in names), adjusted]
    return list(zip(*columns, strict=True))


def after(kind: str, **details: Any) -> Rows:
    """The month after a fault."""
    document = sound()
    fault = msgspec.convert({"kind": kind, **details}, Fault, strict=False)
    assert damage(document, fault)
    return rows(document)


def changed(found: Rows) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Bars that are not as they were, with what they were."""
    return [(new, old) for new, old in zip(found, rows(sound()), strict=True) if new != old]


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("null_rows", lambda new, old: new == (old[0], *[None] * 6)),
        ("null_closes", lambda new, old: new == (*old[:4], None, old[5], None)),
        ("negative_volumes", lambda new, old: new == (*old[:5], -old[5], old[6])),
        ("broken_prices", lambda new, old: new[2] < new[3] and new[:2] == old[:2]),
        ("hundredfold", lambda new, old: new[4] == 100 * old[4] and new[5:] == old[5:]),
    ],
)
def test_bars_are_damaged_and_the_others_left(kind: str, test: Any) -> None:
    """As many as asked for."""
    found = changed(after(kind, rows=3))
    assert len(found) == 3
    assert all(test(new, old) for new, old in found)


def test_days_may_be_named() -> None:
    """Only bars of those days are hit."""
    found = changed(after("null_closes", days=["2026-11-18", "2026-11-22"]))
    assert [new[0] for new, _ in found] == [chart.time_of(TODAY) - 2 * 86_400]


def test_missing_rows_are_left_out() -> None:
    """The others stay in order."""
    left, all_rows = after("missing_rows", rows=4), rows(sound())
    assert len(left) == len(all_rows) - 4
    assert [row for row in all_rows if row in left] == left


def test_disorder_and_duplicates_keep_every_bar() -> None:
    """Shuffled, or some of them twice."""
    all_rows = rows(sound())
    shuffled = after("disorder")
    assert shuffled != all_rows and sorted(shuffled) == all_rows
    twice = after("duplicates", rows=3)
    assert len(twice) == len(all_rows) + 3 and sorted(set(twice)) == all_rows


def test_more_rows_than_there_are_are_all() -> None:
    """No error."""
    assert after("missing_rows", rows=1000) == []


def test_other_kinds_leave_bars_alone() -> None:
    """They have another place."""
    document = sound()
    assert not damage(document, Fault(kind="hang"))
    assert document == sound()


def test_an_empty_chart_keeps_its_meta() -> None:
    """And has no times at all."""
    document = sound()
    result = empty(document)["chart"]["result"][0]
    assert result["meta"] == document["chart"]["result"][0]["meta"]
    assert "timestamp" not in result and result["indicators"]["quote"] == [{}]
