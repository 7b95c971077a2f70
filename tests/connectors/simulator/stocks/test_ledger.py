"""Counters of what was asked and served."""

import pytest

from connectors.simulator.stocks import ledger as module
from connectors.simulator.stocks.ledger import Ledger


def test_calls_are_counted_by_kind_and_status() -> None:
    """The exchange's own site counts apart."""
    ledger = Ledger()
    for kind, status in (("price", 200), ("price", None), ("crumb", 200), ("listing", 404)):
        ledger.begin(kind, "7203.T" if kind == "price" else None)
        assert ledger.in_flight == 1
        ledger.end(kind, status)
    ledger.bars("7203.T", altered=True)
    state = ledger.state()
    assert (state["http_calls"], state["in_flight"]) == (3, 0)
    assert state["by_status"] == {"200": 2, "none": 1}
    assert state["by_kind"]["price"] == {"200": 1, "none": 1}
    assert state["by_kind"]["listing"] == {"404": 1}
    assert state["asked"] == {"7203.T": 2}
    assert state["served"] == state["altered"] == {"7203.T": 1}
    assert state["first_call"] <= state["last_call"]


def test_the_busiest_second_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not begin with the clock's second."""
    moments = iter([0.6, 0.7, 1.2, 1.5, 1.65, 3.0])
    monkeypatch.setattr(module, "monotonic", lambda: next(moments))
    ledger = Ledger()
    for _ in range(6):
        ledger.begin("price", "1.T")
    assert ledger.max_in_a_second == 4


def test_a_reset_counts_from_nothing() -> None:
    """As if nothing had been."""
    ledger = Ledger()
    ledger.begin("price", "1.T")
    ledger.reset()
    assert ledger.state() == Ledger().state()
