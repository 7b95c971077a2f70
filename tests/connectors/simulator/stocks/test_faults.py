"""Which request a fault hits."""

import json
from pathlib import Path

import msgspec
import pytest

from connectors.simulator.stocks.faults import Fault, Faults, load_faults


def hits(fault: Fault, requests: list[tuple[str, str | None, float]]) -> list[bool]:
    """Whether each request (kind, symbol, seconds) is hit; each is a call of its own."""
    faults = Faults(1)
    faults.start(fault, 0.0, 0)
    return [
        faults.pick(kind, symbol, now, calls) is not None
        for calls, (kind, symbol, now) in enumerate(requests)
    ]


def prices(*symbols: str) -> list[tuple[str, str | None, float]]:
    """One price request of each symbol."""
    return [("price", symbol, 0.0) for symbol in symbols]


def test_without_bounds_everything_is_hit_for_ever() -> None:
    """Prices and time zones, not the rest."""
    requests = [("price", "7203.T", 0.0), ("timezone", "6758.T", 1e6), ("crumb", None, 0.0)]
    assert hits(Fault(kind="reset"), requests) == [True, True, False]


def test_symbols_may_be_codes() -> None:
    """Others are left alone."""
    fault = Fault(kind="reset", symbols=["7203", "6758.T"])
    assert hits(fault, prices("7203.T", "6758.T", "9984.T")) == [True, True, False]


def test_counts_are_in_all_or_of_each_symbol() -> None:
    """Then it is over."""
    asked = prices("1.T", "1.T", "2.T", "1.T", "2.T")
    assert hits(Fault(kind="reset", count=2), asked) == [True, True, False, False, False]
    each = Fault(kind="reset", per_symbol=1)
    assert hits(each, asked) == [True, False, True, False, False]


def test_time_and_calls_bound_it() -> None:
    """It begins after ``at`` seconds and ``after_calls`` calls, and lasts ``seconds``."""
    times = [("price", "1.T", now) for now in (0.0, 1.9, 2.0, 4.9, 5.0)]
    assert hits(Fault(kind="reset", at=2, seconds=3), times) == [False, False, True, True, False]
    later = Fault(kind="reset", after_calls=2)
    assert hits(later, prices("1.T", "1.T", "1.T")) == [False, False, True]


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("price", ["price"]),
        ("timezone", ["timezone"]),
        ("crumb", ["crumb"]),
        ("cookie", ["cookie", "consent"]),
        ("quote", ["quote"]),
        ("listing", ["listing"]),
        ("yahoo", ["price", "timezone", "crumb", "cookie", "consent", "quote"]),
    ],
)
def test_a_fault_may_be_bound_to_a_kind_of_request(on: str, expected: list[str]) -> None:
    """See ``ON``."""
    kinds = ["price", "timezone", "crumb", "cookie", "consent", "quote", "listing", "other"]
    fault = msgspec.convert({"kind": "reset", "on": on}, Fault)
    found = hits(fault, [(kind, None, 0.0) for kind in kinds])
    assert [kind for kind, hit in zip(kinds, found, strict=True) if hit] == expected


def test_probability_hits_some_and_the_same_ones_each_time() -> None:
    """By the seed."""
    fault = Fault(kind="reset", probability=0.3)
    first = hits(fault, prices(*["1.T"] * 500))
    assert 100 < sum(first) < 200
    assert hits(fault, prices(*["1.T"] * 500)) == first


def test_the_first_that_hits_decides_and_all_can_be_forgotten() -> None:
    """The state tells the hits."""
    faults = Faults(1)
    faults.start(Fault(kind="reset", count=1), 0.0, 0)
    faults.start(Fault(kind="hang"), 0.0, 0)
    found = [faults.pick("price", "1.T", 0.0, 0) for _ in range(3)]
    assert [fault.kind for fault in found if fault] == ["reset", "hang", "hang"]
    assert [one["hits"] for one in faults.state()] == [1, 2]
    faults.clear()
    assert faults.pick("price", "1.T", 0.0, 0) is None


def test_a_split_is_due_once() -> None:
    """It hits no request."""
    faults = Faults(1)
    faults.start(Fault(kind="split", symbols=["7203"], at=5), 0.0, 0)
    assert faults.pick("price", "7203.T", 9.0, 0) is None
    assert faults.due_splits(4.0, 0) == []
    assert [fault.symbols for fault in faults.due_splits(5.0, 0)] == [["7203.T"]]
    assert faults.due_splits(6.0, 0) == []


def test_a_file_holds_a_list(tmp_path: Path) -> None:
    """In the form of the control API."""
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"kind": "rate_limit", "seconds": 3, "retry_after": 7}]))
    assert load_faults(path) == [Fault(kind="rate_limit", seconds=3, retry_after=7)]


@pytest.mark.parametrize(
    ("order", "hint"),
    [
        ({"kind": "earthquake"}, "earthquake"),
        ({"kind": "split"}, "needs symbols"),
        ({"kind": "null_rows", "rows": 0}, "rows must be"),
        ({"kind": "reset", "second": 3}, "second"),
    ],
)
def test_what_is_no_fault_is_refused(order: object, hint: str) -> None:
    """The error says why."""
    with pytest.raises(msgspec.ValidationError, match=hint):
        msgspec.convert(order, Fault)
