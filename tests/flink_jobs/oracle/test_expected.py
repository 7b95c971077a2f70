"""The oracle on markets small enough to work out by hand."""

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from flink_jobs.oracle import expected
from flink_jobs.oracle.ledger import load

MINUTE = 60_000
END = 10**15


def line(
    seq: int,
    at_ms: float,
    price: str,
    size: str,
    side: str = "buy",
    exchange: str = "binance",
    symbol: str = "BTC-USDT",
) -> dict[str, object]:
    """One trade of the ledger at ``at_ms`` milliseconds after the epoch."""
    return {
        "t": "trade", "exchange": exchange, "symbol": symbol, "native_symbol": "BTCUSDT",
        "trade_id": str(seq), "trade_seq": seq, "price": price, "size": size, "side": side,
        "ts_event": round(at_ms * 1000),
    }  # fmt: skip


def sent(*ids: int, exchange: str = "binance", symbol: str = "BTC-USDT") -> dict[str, object]:
    """The line that says which trades a connection carried."""
    return {
        "t": "sent", "exchange": exchange, "symbol": symbol, "conn": "binance-1",
        "via": "ws", "ids": [str(number) for number in ids], "at": 1,
    }  # fmt: skip


def market(folder: Path, *lines: dict[str, object]) -> duckdb.DuckDBPyConnection:
    """A database over a ledger of the given lines."""
    path = folder / "ledger.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    return load([path])


def test_open_and_close_follow_event_time_then_sequence(tmp_path: Path) -> None:
    """Arrival order and the order of lines do not matter; equal times go by trade_seq."""
    db = market(
        tmp_path,
        line(3, 2000, "30", "1"),
        line(2, 1000, "20", "1"),
        line(1, 1000, "10", "1"),
        line(4, 2000, "5", "1"),
        sent(1, 2, 3, 4),
    )
    bar = expected.bars_1m(db, END)[("binance", "BTC-USDT", 0)]
    assert (bar["open"], bar["close"]) == (Decimal(10), Decimal(5))
    assert (bar["high"], bar["low"], bar["trade_count"]) == (Decimal(30), Decimal(5), 4)


def test_vwap_is_rounded_half_up_at_ten_decimals(tmp_path: Path) -> None:
    """One third of a price keeps ten exact decimals."""
    db = market(tmp_path, line(1, 0, "1", "2"), line(2, 1, "2", "1", "sell"), sent(1, 2))
    bar = expected.bars_1m(db, END)[("binance", "BTC-USDT", 0)]
    assert bar["vwap"] == Decimal("1.3333333333")
    assert (bar["buy_volume"], bar["sell_volume"]) == (Decimal(2), Decimal(1))
    assert expected.quotient(Decimal("0.00000000005"), 1) == Decimal("1e-10")


def test_a_trade_never_sent_is_left_out_and_a_duplicate_counts_once(tmp_path: Path) -> None:
    """Only what some connection or REST answer carried can be in a window."""
    db = market(tmp_path, line(1, 0, "1", "1"), line(2, 1, "9", "1"), sent(1, 1), sent(1))
    assert expected.bars_1m(db, END)[("binance", "BTC-USDT", 0)]["trade_count"] == 1


def test_only_closed_windows_are_expected(tmp_path: Path) -> None:
    """A window is closed once the watermark reaches its last millisecond."""
    db = market(tmp_path, line(1, 0, "1", "1"), sent(1))
    assert expected.bars_1m(db, MINUTE - 2) == {}
    assert len(expected.bars_1m(db, MINUTE - 1)) == 1


def test_a_trade_is_in_six_hopping_windows(tmp_path: Path) -> None:
    """Windows of an hour start every ten minutes, aligned to the epoch."""
    at = 65 * MINUTE
    rows = expected.moving_average_1h_10m(market(tmp_path, line(1, at, "7", "2"), sent(1)), END)
    starts = [start // MINUTE for _, _, start in sorted(rows)]
    assert starts == [10, 20, 30, 40, 50, 60]
    assert {row["average_price"] for row in rows.values()} == {Decimal(7)}


@pytest.mark.parametrize(("pause_ms", "sessions"), [(30_000, 1), (30_001, 2)])
def test_a_session_ends_after_more_than_the_gap(
    tmp_path: Path, pause_ms: int, sessions: int
) -> None:
    """Windows that touch are one session; one millisecond more starts another."""
    db = market(tmp_path, line(1, 0, "1", "1"), line(2, pause_ms, "1", "1"), sent(1, 2))
    rows = expected.trade_sessions_30s(db, END)
    assert len(rows) == sessions
    first = rows[("binance", "BTC-USDT", 0)]
    assert first["duration_seconds"] == Decimal(first["window_end"]) / 1000


def test_longer_bars_hold_the_same_trades(tmp_path: Path) -> None:
    """Five minutes and an hour, aligned to the epoch."""
    lines = (line(1, 0, "10", "1"), line(2, 5 * MINUTE, "30", "2"), sent(1, 2))
    db = market(tmp_path, *lines)
    assert [row["trade_count"] for row in expected.bars_5m(db, END).values()] == [1, 1]
    (hour,) = expected.bars_1h(db, END).values()
    assert (hour["open"], hour["close"], hour["volume"]) == (10, 30, 3)
    assert hour["window_end"] == 60 * MINUTE


@pytest.mark.parametrize(
    ("closed", "end", "count"),
    [(4_998, None, 0), (4_999, 5_000, 1), (59_999, 60_000, 2), (END, 60_000, 2)],
)
def test_the_running_bar_ends_at_the_last_step_that_has_closed(
    tmp_path: Path, closed: int, end: int | None, count: int
) -> None:
    """Steps of five seconds up to the full minute; trades behind the step are not in it yet."""
    db = market(tmp_path, line(1, 4_999, "1", "1"), line(2, 5_000, "2", "1"), sent(1, 2))
    rows = list(expected.bars_running_1m(db, closed).values())
    assert [(row["window_end"], row["trade_count"]) for row in rows] == [(end, count)] * bool(end)


def test_a_price_on_a_step_s_edge_belongs_to_the_step_above(tmp_path: Path) -> None:
    """A step begins with its price and ends before the next one's."""
    lines = (line(1, 0, "19.99", "1"), line(2, 0, "20", "2"), line(3, 0, "29.99", "4"))
    rows = expected.volume_profile_1m(market(tmp_path, *lines, sent(1, 2, 3)), END)
    assert {key[3]: row["volume"] for key, row in rows.items()} == {Decimal(10): 1, Decimal(20): 6}


def test_five_largest_moves_in_either_direction_are_ranked(tmp_path: Path) -> None:
    """Six symbols: the smallest move is left out, equal ones stand by symbol."""
    lines = []
    for number, (symbol, close) in enumerate(
        {"A": "101", "B": "90", "C": "110", "D": "103", "E": "104", "F": "100.5"}.items()
    ):
        pair = (2 * number + 1, 2 * number + 2)
        lines += [
            line(pair[0], 0, "100", "1", symbol=symbol),
            line(pair[1], 1, close, "1", symbol=symbol),
            sent(*pair, symbol=symbol),
        ]
    rows = expected.top_movers_1m(market(tmp_path, *lines), END)
    ranked = [(key[1], row["symbol"], row["move_percent"]) for key, row in rows.items()]
    assert ranked == [(1, "B", -10), (2, "C", 10), (3, "E", 4), (4, "D", 3), (5, "A", 1)]


def test_a_gap_between_venues_needs_both_in_the_same_minute(tmp_path: Path) -> None:
    """Percent of the first venue's price, at ten decimals."""
    db = market(
        tmp_path,
        line(1, 0, "3", "1"),
        line(1, 1, "4", "1", exchange="coinbase"),
        line(2, MINUTE, "5", "1"),
        sent(1, 2),
        sent(1, exchange="coinbase"),
    )
    ((key, row),) = expected.cross_venue_gap_1m(db, END).items()
    assert key == ("BTC-USDT", 0, "binance", "coinbase")
    assert row["gap_percent"] == Decimal("33.3333333333")


def test_a_missing_ledger_is_named(tmp_path: Path) -> None:
    """The error says which file is absent."""
    with pytest.raises(FileNotFoundError, match=r"absent\.jsonl"):
        load([tmp_path / "absent.jsonl"])
