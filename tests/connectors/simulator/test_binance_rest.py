"""Binance's REST, as the connectors ask it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.connectors.simulator.harness import Exchange, exchange, sent_ids

RUN: dict[str, Any] = {"rate": 500.0, "warm_up_seconds": 20.0}


async def history(here: Exchange, **query: str) -> list[dict[str, object]]:
    """One page of historicalTrades of BTCUSDT."""
    path = "/api/v3/historicalTrades"
    status, body = await here.get("binance", path, symbol="BTCUSDT", **query)
    assert status == 200, body
    return body  # type: ignore[no-any-return]


async def test_listing_tells_tick_and_lot() -> None:
    """exchangeInfo has the filters; symbols selects."""
    async with exchange(symbols=20) as here:
        wanted = json.dumps(["BTCUSDT", "SHIBUSDT"])
        _, body = await here.get("binance", "/api/v3/exchangeInfo", symbols=wanted)
        filters = {
            one["symbol"]: {f["filterType"]: f for f in one["filters"]} for one in body["symbols"]
        }
        assert set(filters) == {"BTCUSDT", "SHIBUSDT"}
        assert filters["BTCUSDT"]["PRICE_FILTER"]["tickSize"] == "0.01000000"
        assert filters["SHIBUSDT"]["PRICE_FILTER"]["tickSize"] == "0.00000001"
        assert filters["BTCUSDT"]["LOT_SIZE"]["stepSize"] == "0.00001000"
        _, everything = await here.get("binance", "/api/v3/exchangeInfo")
        assert len(everything["symbols"]) == 20


async def test_trades_page_upwards_from_an_id(tmp_path: Path) -> None:
    """Pages of 1000 from ``fromId`` join without a gap up to the newest; all are in the ledger."""
    async with exchange(tmp_path / "ledger", trades=16_000, **RUN) as here:
        newest = await history(here, limit="1")
        first = int(str(newest[0]["id"])) - 2500
        page = await history(here, fromId=str(first), limit="1000")
        ids = [one["id"] for one in page]
        assert ids == list(range(first, first + 1000))
        second = await history(here, fromId=str(first + 1000), limit="1000")
        assert [one["id"] for one in second] == list(range(first + 1000, first + 2000))
        one = page[0]
        assert set(one) == {"id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"}
        exact = Decimal(str(one["price"])) * Decimal(str(one["qty"]))
        assert abs(Decimal(str(one["quoteQty"])) - exact) < Decimal("0.00000001")
        lines = here.ledger()
        assert sent_ids(lines, "binance", "rest")[1:] == list(range(first, first + 2000))
        made = {
            line["trade_seq"]: line
            for line in lines
            if line["t"] == "trade" and line["native_symbol"] == "BTCUSDT"
        }
        for trade in (*page, *second):
            line = made[trade["id"]]
            assert (line["price"], line["size"]) == (trade["price"], trade["qty"])
            assert line["ts_event"] == int(str(trade["time"])) * 1000
            assert line["side"] == ("sell" if trade["isBuyerMaker"] else "buy")


async def test_recent_trades_are_the_newest() -> None:
    """``/api/v3/trades`` gives the last ones, ascending, 500 by default."""
    async with exchange(**RUN) as here:
        here.engine.clock.paused = True
        _, recent = await here.get("binance", "/api/v3/trades", symbol="BTCUSDT")
        assert len(recent) == 500
        assert recent == await history(here)


async def test_what_is_wrong_with_a_request_is_said() -> None:
    """Binance's codes, status 400."""
    async with exchange(**RUN) as here:
        for path, query, code in (
            ("/api/v3/depth", {}, -1102),
            ("/api/v3/depth", {"symbol": "NOSUCH"}, -1121),
            ("/api/v3/exchangeInfo", {"symbol": "NOSUCH"}, -1121),
            ("/api/v3/exchangeInfo", {"symbols": "BTCUSDT"}, -1100),
            ("/api/v3/historicalTrades", {"symbol": "BTCUSDT", "limit": "1001"}, -1130),
            ("/api/v3/historicalTrades", {"symbol": "BTCUSDT", "fromId": "x"}, -1100),
        ):
            status, body = await here.get("binance", path, **query)
            assert (status, body["code"]) == (400, code), (path, query)


async def test_time_is_the_simulated_clock() -> None:
    """serverTime in ms; ping answers nothing."""
    async with exchange(speed=0.001) as here:
        _, body = await here.get("binance", "/api/v3/time")
        assert abs(body["serverTime"] * 1000 - here.engine.clock.now_us) < 100_000
        assert await here.get("binance", "/api/v3/ping") == (200, {})
