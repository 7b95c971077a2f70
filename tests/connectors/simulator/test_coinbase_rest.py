"""Coinbase's REST, as the connectors ask it."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.connectors.simulator.harness import exchange, sent_ids

RUN: dict[str, Any] = {"rate": 500.0, "warm_up_seconds": 20.0}
TRADES = "/products/BTC-USD/trades"


async def test_listing_tells_increments() -> None:
    """Advanced Trade's products; ``product_ids`` may be given twice."""
    async with exchange() as here:
        path = "/api/v3/brokerage/market/products?product_ids=BTC-USD&product_ids=SOL-USD"
        _, body = await here.get("coinbase", path)
        listed = {one["product_id"]: one for one in body["products"]}
        assert set(listed) == {"BTC-USD", "SOL-USD"}
        assert listed["BTC-USD"]["quote_increment"] == "0.01"
        assert listed["BTC-USD"]["base_increment"] == "0.00000001"
        _, exchange_products = await here.get("coinbase", "/products")
        assert [one["id"] for one in exchange_products] == ["BTC-USD", "ETH-USD", "SOL-USD"]


async def test_trades_page_downwards(tmp_path: Path) -> None:
    """Below ``after``, descending, maker's side, joined pages; all are in the ledger."""
    async with exchange(tmp_path / "ledger", **RUN) as here:
        here.engine.clock.paused = True
        _, newest = await here.get("coinbase", TRADES, limit="1")
        last = newest[0]["trade_id"]
        _, first_page = await here.get("coinbase", TRADES, limit="1000", after=str(last + 1))
        after = str(first_page[-1]["trade_id"])
        _, second_page = await here.get("coinbase", TRADES, limit="1000", after=after)
        pages = [*first_page, *second_page]
        assert [one["trade_id"] for one in pages] == list(range(last, last - 2000, -1))
        lines = here.ledger()
        assert len(sent_ids(lines, "coinbase", "rest")) == 2001
        made = {
            line["trade_seq"]: line
            for line in lines
            if line["t"] == "trade" and line["symbol"] == "BTC-USD"
        }
        for one in pages:
            line = made[one["trade_id"]]
            assert float(line["price"]) == float(one["price"])
            assert line["side"] == ("buy" if one["side"] == "sell" else "sell")


async def test_cursors_are_in_the_headers() -> None:
    """CB-AFTER leads to older trades, CB-BEFORE to newer ones."""
    async with exchange(**RUN) as here, aiohttp.ClientSession() as http:
        url = here.addresses["coinbase"]["rest"] + TRADES + "?limit=10"
        async with http.get(url) as response:
            ids = [one["trade_id"] for one in await response.json()]
            assert response.headers["CB-BEFORE"] == str(ids[0])
            assert response.headers["CB-AFTER"] == str(ids[-1])
        _, older = await here.get("coinbase", TRADES, limit="10", after=str(ids[-1]))
        assert older[0]["trade_id"] == ids[-1] - 1
        _, newer = await here.get("coinbase", TRADES, limit="10", before=str(ids[4]))
        assert newer[-1]["trade_id"] > ids[4]


async def test_unknown_products_are_not_found() -> None:
    """Status 404 with a message."""
    async with exchange() as here:
        for path in ("/products/NO-SUCH/trades", "/products/NO-SUCH"):
            assert await here.get("coinbase", path) == (404, {"message": "NotFound"})
        status, _ = await here.get("coinbase", "/api/v3/brokerage/market/products/NO-SUCH")
        assert status == 404
