"""The judge of the chaos runs: whatever is wrong is found."""

from typing import Any

import pytest

from tests.integration.chaos_judge import (
    SECOND,
    SOON,
    Evidence,
    Json,
    judge_books,
    judge_statuses,
    judge_trades,
)
from tests.integration.chaos_world import Deed

DAY = 1_780_000_000 * SECOND
SYMBOL = "BTC-USDT"


def trade(number: int, **changes: Any) -> Json:
    """A trade as the ledger and as the log have it."""
    return {
        "t": "trade",
        "symbol": SYMBOL,
        "trade_seq": number,
        "price": "10.50",
        "size": "1",
        "side": "buy",
        "ts_event": DAY + number,
        **changes,
    }


def status(kind: str, at: int, **changes: Any) -> Json:
    """A status event."""
    fields = {"symbol": "*", "cause": "", "from_id": None, "to_id": None}
    return {"kind": kind, "ts_event": at, **fields, **changes}


def fault(kind: str, at: int, **changes: Any) -> Json:
    """A fault's line."""
    line = {"t": "fault", "kind": kind, "phase": "start", "connections": 1, "at": at}
    return {**line, **changes}


def evidence(
    log: list[Json] = (),  # type: ignore[assignment]
    statuses: list[Json] = (),  # type: ignore[assignment]
    faults: list[Json] = (),  # type: ignore[assignment]
    deeds: list[Deed] = (),  # type: ignore[assignment]
) -> Evidence:
    """Of a venue that made the trades 1 to 5."""
    ledger = [*(trade(number) for number in range(1, 6)), *faults]
    return Evidence("binance", list(log), list(statuses), ledger, list(deeds))


ALL = [trade(number) for number in range(1, 6)]
DOWN = fault("rest_down", DAY, seconds=5.0)


def test_a_log_with_every_trade_once_is_right_whatever_its_order() -> None:
    """Numbers may be written differently."""
    log = [trade(2, price="10.5"), *(one for one in ALL if one["trade_seq"] != 2)]
    assert judge_trades(evidence(log)) == []


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ([*ALL, trade(3)], "2 times"),
        (ALL[:-1], "neither in the log nor in a gap"),
        ([*ALL[:-1], trade(5, size="2")], "differs from the ledger"),
        ([*ALL, trade(6)], "differs from the ledger"),
    ],
)
def test_a_doubled_lost_changed_or_invented_trade_is_found(log: list[Json], words: str) -> None:
    """Each by its own words."""
    assert any(words in problem for problem in judge_trades(evidence(log, faults=[DOWN])))


def test_a_missing_trade_is_right_inside_a_gap_that_rest_explains_only() -> None:
    """An open gap ends where its recovery says; without a fault of REST nothing may be missing."""
    gap = status("gap", DAY, symbol=SYMBOL, from_id=4)
    log = [one for one in ALL if one["trade_seq"] != 4]
    assert judge_trades(evidence(log, [gap], [DOWN])) == []
    assert "REST had them" in judge_trades(evidence(log, [gap]))[0]
    recovered = status("recovered", DAY, symbol=SYMBOL, from_id=4, to_id=4)
    log = [one for one in ALL if one["trade_seq"] < 4]
    found = judge_trades(evidence(log, [gap, recovered], [DOWN]))
    assert found == ["binance: ('BTC-USDT', 5) is neither in the log nor in a gap"]


def test_a_fault_must_be_told_unless_the_connector_was_killed_meanwhile() -> None:
    """A lost book update asks for a resync of its symbol."""
    lost = fault("book_gap", DAY, symbol=SYMBOL, sequence=7)
    assert "resync was not told" in judge_statuses(evidence(faults=[lost]))[0]
    other = status("resync", DAY + SECOND, symbol="ETH-USDT")
    assert "resync was not told" in judge_statuses(evidence(statuses=[other], faults=[lost]))[0]
    right = status("resync", DAY + SECOND, symbol=SYMBOL)
    assert judge_statuses(evidence(statuses=[right], faults=[lost])) == []
    killed = Deed("kill", "binance", DAY + 2 * SECOND, DAY + 3 * SECOND)
    assert judge_statuses(evidence(faults=[lost], deeds=[killed])) == []
    late = Deed("kill", "binance", DAY + 9 * SECOND, DAY + 10 * SECOND)
    assert judge_statuses(evidence(faults=[lost], deeds=[late])) != []
    outage = Deed("stop", "broker", DAY - SECOND, DAY + 20 * SECOND)
    assert judge_statuses(evidence(faults=[lost], deeds=[late, outage])) == []


def test_a_status_without_a_cause_is_found() -> None:
    """A false alarm is as bad as a missing one; a planned renewal is none."""
    alarm = status("stale", DAY + SOON + SECOND, cause="no frame at all")
    assert "without cause" in judge_statuses(evidence(statuses=[alarm]))[0]
    assert judge_statuses(evidence(statuses=[alarm], faults=[fault("slow", DAY + SOON)])) == []
    renewal = status("disconnected", DAY, cause="renewed: connection is 20 s old")
    assert judge_statuses(evidence(statuses=[renewal])) == []


def test_a_book_that_differs_breaks_or_was_never_told_is_found() -> None:
    """The last book of each symbol is always compared."""
    head = '"event_type":"book","exchange":"binance","native_symbol":"BTCUSDT","ts_event":1'
    head += ',"ts_recv":1,"source":"x","ts_source":"venue","schema_version":1,"merged":1'

    def record(before: int, after: int, bids: str, snapshot: str = "false") -> Any:
        text = f'{{{head},"symbol":"{SYMBOL}","is_snapshot":{snapshot},"bids":{bids},'
        text += f'"asks":[],"sequence":{after},"prev_sequence":{before}}}'
        return type("Record", (), {"value": text.encode()})()

    first = record(-1, 1, '[["10","1"]]', "true")
    same = judge_books("binance", [first], lambda _: ({10: 1}, {}))  # type: ignore[dict-item,return-value]
    assert same == []
    other = judge_books("binance", [first], lambda _: ({10: 2}, {}))  # type: ignore[dict-item,return-value]
    assert "1 bids differ" in other[0]
    assert "no such book" in judge_books("binance", [first], lambda _: None)[0]
    broken = judge_books("binance", [first, record(5, 6, "[]")], lambda _: ({10: 1}, {}))  # type: ignore[dict-item,return-value]
    assert any("does not continue 1" in problem for problem in broken)
    assert judge_books("binance", [], lambda _: None, [SYMBOL]) == ["binance: BTC-USDT has no book"]
