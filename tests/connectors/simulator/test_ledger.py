"""The ledger's lines and when they reach the file."""

import json
import time
from pathlib import Path

from connectors.simulator.ledger import FLUSH_SECONDS, Ledger


def test_lines_are_json_with_the_agreed_fields(tmp_path: Path) -> None:
    """Trades, sends, faults and the end, in the order in which they were written."""
    path = tmp_path / "folder" / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.trade("binance", "BTC-USDT", "BTCUSDT", 12, "1.23", "0.5", True, 1_780_000_000_000_000)
    ledger.sent("binance", "BTC-USDT", "binance-1", "ws", [12, 12])
    ledger.sent("binance", "BTC-USDT", "binance-1", "ws", [])
    ledger.fault("duplicate", "binance", ids=[12])
    ledger.close()
    ledger.close()
    trade, sent, fault, end = map(json.loads, path.read_text().splitlines())
    assert trade == {
        "t": "trade",
        "exchange": "binance",
        "symbol": "BTC-USDT",
        "native_symbol": "BTCUSDT",
        "trade_id": "12",
        "trade_seq": 12,
        "price": "1.23",
        "size": "0.5",
        "side": "buy",
        "ts_event": 1_780_000_000_000_000,
    }
    assert sent.pop("at") > 1_700_000_000_000_000 < fault.pop("at")
    assert sent == {
        "t": "sent",
        "exchange": "binance",
        "symbol": "BTC-USDT",
        "conn": "binance-1",
        "via": "ws",
        "ids": [12, 12],
    }
    assert fault == {"t": "fault", "kind": "duplicate", "exchange": "binance", "ids": [12]}
    assert end == {"t": "end", "trades": 1}


def test_lines_reach_the_file_after_a_moment(tmp_path: Path) -> None:
    """A flush writes once the oldest line has waited for ``FLUSH_SECONDS``."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.fault("silence", "binance")
    ledger.flush()
    assert path.read_text() == ""
    time.sleep(FLUSH_SECONDS)
    ledger.flush()
    assert "silence" in path.read_text()


def test_without_a_path_trades_are_counted() -> None:
    """Nothing is written anywhere."""
    ledger = Ledger()
    ledger.trade("binance", "BTC-USDT", "BTCUSDT", 1, "1", "1", False, 1)
    ledger.flush(force=True)
    ledger.close()
    assert ledger.trades == 1
