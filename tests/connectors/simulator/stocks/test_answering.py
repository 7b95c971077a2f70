"""Faults over HTTP, and what counts as served."""

import asyncio
from datetime import date

import aiohttp
import pytest

from connectors.simulator.stocks.faults import Fault
from tests.connectors.simulator.stocks.harness import local


@pytest.mark.parametrize(
    ("kind", "status", "content", "words"),
    [
        ("rate_limit", 429, "text/html", "Too Many Requests"),
        ("not_found", 404, "application/json", "No data found, symbol may be delisted"),
        ("no_data", 400, "application/json", "Data doesn't exist for startDate = "),
        ("server_error", 500, "text/html", "<html>"),
        ("server_error_json", 500, "application/json", "upstream failure"),
        ("bad_gateway", 502, "text/html", "<html>"),
        ("unavailable", 503, "text/html", "<html>"),
        ("forbidden", 403, "text/html", "<html>"),
        ("unauthorized", 401, "application/json", "Invalid Crumb"),
        ("malformed", 200, "application/json", '{"chart":'),
        ("html", 200, "text/html", "<html>"),
        ("down", 200, "text/html", "Will be right back"),
        ("empty", 200, "application/json", '"quote":[{}]'),
    ],
)
async def test_answers_that_bring_no_bars(kind: str, status: int, content: str, words: str) -> None:
    """They do not count as served, and other symbols are left alone."""
    async with local() as here:
        await here.fault(kind, symbols=["7203"], count=1)
        broken = await here.chart()
        assert broken.status == status and words in broken.text
        assert broken.headers["Content-Type"].startswith(content)
        assert "Retry-After" not in broken.headers
        assert (await here.chart("6758.T")).status == (await here.chart()).status == 200
        state = await here.state()
        assert state["served"] == {"6758.T": 1, "7203.T": 1}
        assert state["asked"] == {"6758.T": 1, "7203.T": 2}


async def test_a_storm_of_429_may_tell_how_long_to_wait() -> None:
    """And passes by itself."""
    async with local() as here:
        await here.fault("rate_limit", count=3, retry_after=7)
        answers = [await here.chart() for _ in range(4)]
        assert [answer.status for answer in answers] == [429, 429, 429, 200]
        assert answers[0].headers["Retry-After"] == "7"


async def test_a_storm_by_time_passes() -> None:
    """After its seconds."""
    async with local() as here:
        await here.fault("rate_limit", seconds=0.4)
        assert (await here.chart()).status == 429
        await asyncio.sleep(0.45)
        assert (await here.chart()).status == 200


async def test_a_reset_cuts_the_connection() -> None:
    """Nothing is served."""
    async with local() as here:
        await here.fault("reset", on="price")
        with pytest.raises(aiohttp.ClientConnectionError):
            await here.chart()
        state = await here.state()
        assert state["served"] == {} and state["by_status"]["none"] >= 1


async def test_a_truncated_body_is_shorter_than_announced() -> None:
    """Nothing is served."""
    async with local() as here:
        await here.fault("truncated")
        with pytest.raises(aiohttp.ClientPayloadError):
            await here.chart()
        assert (await here.state())["served"] == {}


async def test_a_hang_ends_with_the_client() -> None:
    """It holds nothing when the client has gone."""
    async with local() as here:
        await here.fault("hang")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.chart(), 0.1)
        for _ in range(100):
            state = await here.state()
            if not state["in_flight"]:
                break
            await asyncio.sleep(0.01)
        assert state["in_flight"] == 0 and state["by_status"] == {"none": 1}


async def test_a_hang_may_end_by_itself() -> None:
    """Then the connection is closed without an answer."""
    async with local() as here:
        await here.fault("hang", delay=0.05)
        with pytest.raises(aiohttp.ClientConnectionError):
            await here.chart()


async def test_a_slow_answer_is_right() -> None:
    """And served."""
    async with local() as here:
        await here.fault("slow", delay=0.05, count=1)
        slow, quick = await here.chart(), await here.chart()
        assert slow.json == quick.json
        assert (await here.state())["served"] == {"7203.T": 2}


async def test_an_answer_whose_client_has_gone_is_not_served() -> None:
    """Only what the operating system took counts."""
    async with local() as here:
        await here.fault("slow", delay=0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.chart(), 0.05)
        await asyncio.sleep(0.25)
        state = await here.state()
        assert (state["asked"], state["served"]) == ({"7203.T": 1}, {})


async def test_damaged_bars_are_served_and_counted_apart() -> None:
    """The truth stays what it is."""
    async with local() as here:
        await here.fault("null_closes", days=["2026-11-19"], count=1)
        truth = (await here.control("GET", "bars/7203?start=2026-11-16")).json["bars"]
        result = (await here.chart()).json["chart"]["result"][0]
        closes = result["indicators"]["quote"][0]["close"]
        assert closes[3] is None and closes[4] == truth[4]["close"] is not None
        state = await here.state()
        assert state["served"] == state["altered"] == {"7203.T": 1}


async def test_a_chart_without_any_bar_left_is_empty_and_not_served() -> None:
    """All its rows are missing."""
    async with local() as here:
        await here.fault("missing_rows", rows=100)
        result = (await here.chart()).json["chart"]["result"][0]
        assert "timestamp" not in result
        assert (await here.state())["served"] == {}


async def test_a_split_by_schedule_rewrites_history() -> None:
    """After the calls it waits for."""
    split = Fault(kind="split", symbols=["7203"], after_calls=2, ratio=(5, 1))
    async with local(faults=(split,)) as here:
        charts = [(await here.chart()).json["chart"]["result"][0] for _ in range(3)]
        closes = [chart["indicators"]["quote"][0]["close"] for chart in charts]
        assert closes[0] == closes[1]
        assert closes[2][0] == pytest.approx(closes[0][0] / 5, rel=1e-6)
        (event,) = charts[2]["events"]["splits"].values()
        assert event["splitRatio"] == "5:1"


async def test_a_split_that_cannot_be_is_refused_at_once() -> None:
    """When it is ordered, not when it is due."""
    split = Fault(kind="split", symbols=["0000"])
    with pytest.raises(ValueError, match="not listed"):
        async with local(faults=(split,)):
            pass
    async with local() as here:
        order = {"kind": "split", "symbols": ["7203"], "day": str(date(2026, 11, 22))}
        refused = await here.control("POST", "faults", order)
        assert refused.status == 400 and "no session" in refused.json["error"]


async def test_the_busiest_second_counts_all_calls_to_yahoo() -> None:
    """Those of control and of the exchange's list do not count."""
    async with local() as here:
        await asyncio.gather(*(here.chart() for _ in range(12)), here.get("/v1/test/getcrumb"))
        state = await here.state()
        assert state["max_in_a_second"] == state["http_calls"] == 13
        assert 0 <= state["last_call"] - state["first_call"] < 1
