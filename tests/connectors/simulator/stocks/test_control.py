"""Control over HTTP."""

import pytest

from tests.connectors.simulator.stocks.harness import local


async def test_state_tells_the_day_and_the_size_of_the_market() -> None:
    """With all counters."""
    async with local() as here:
        state = await here.state()
        assert state["today"] == state["last_session"] == "2026-11-20"
        assert (state["since"], state["listing_day"]) == ("2025-11-20", "2026-10-30")
        assert (state["ordinary"], state["seed"]) == (5, 7) and state["symbols"] > 5
        assert state["http_calls"] == 0 and state["first_call"] is None


async def test_the_clock_moves_the_market() -> None:
    """To the next session, over a holiday."""
    async with local() as here:
        moved = await here.control("POST", "clock", {"today": "2026-11-24"})
        assert moved.json["last_session"] == "2026-11-24"
        bars = (await here.control("GET", "bars/7203?start=2026-11-19")).json["bars"]
        assert [bar["trade_date"] for bar in bars] == ["2026-11-19", "2026-11-20", "2026-11-24"]
        assert (await here.control("POST", "clock", {"today": "2001-01-01"})).status == 400


async def test_a_corporate_action_rewrites_history() -> None:
    """The truth and the answers alike."""
    async with local() as here:
        before = (await here.control("GET", "bars/7203")).json["bars"]
        order = {"symbol": "7203", "date": "2026-11-20", "ratio": 1.5}
        done = await here.control("POST", "corporate-action", order)
        assert done.json == {"symbol": "7203.T", "date": "2026-11-20", "ratio": [3, 2]}
        after = (await here.control("GET", "bars/7203")).json["bars"]
        assert after[0]["close"] == pytest.approx(before[0]["close"] / 1.5, rel=1e-6)
        assert [bar["splits"] for bar in after[-2:]] == [0.0, 1.5]
        events = (await here.chart()).json["chart"]["result"][0]["events"]
        (split,) = events["splits"].values()
        assert (split["numerator"], split["denominator"]) == (3.0, 2.0)


async def test_issues_come_and_go() -> None:
    """In the list, and for Yahoo."""
    async with local() as here:
        order = {"delist": ["7203"], "add": ["999A"], "rows": 8}
        listed = (await here.control("POST", "listing", order)).json["issues"]
        codes = [issue["code"] for issue in listed]
        assert "999A" in codes and "7203" not in codes
        assert (await here.chart("7203.T")).status == 404
        assert (await here.chart("999A.T", range="max")).status == 200
        assert len((await here.control("GET", "listing")).json["issues"]) == len(codes)


async def test_reset_begins_again() -> None:
    """Everything, or only the counters."""
    async with local() as here:
        before = await here.state()
        await here.chart()
        await here.fault("not_found")
        await here.control("POST", "listing", {"delist": ["6758"]})
        counters = (await here.control("POST", "reset", {"only": "counters"})).json
        assert counters["http_calls"] == 0 and len(counters["faults"]) == 1
        assert counters["symbols"] == before["symbols"] - 1
        assert (await here.control("POST", "reset")).json == before


async def test_faults_are_told_and_forgotten() -> None:
    """One or several at a time."""
    async with local() as here:
        orders = [{"kind": "not_found", "symbols": ["7203"]}, {"kind": "hang", "symbols": ["1"]}]
        assert (await here.control("POST", "faults", orders)).status == 200
        await here.chart()
        told = (await here.control("GET", "faults")).json
        assert [one["hits"] for one in told] == [1, 0]
        assert told[0]["fault"] == {"kind": "not_found", "symbols": ["7203.T"]}
        assert (await here.control("DELETE", "faults")).json == []
        assert (await here.chart()).status == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "hint"),
    [
        ("faults", {"kind": "earthquake"}, 400, "earthquake"),
        ("faults", {"kind": "hang", "second": 1}, 400, "second"),
        ("clock", {"today": "soon"}, 400, "today"),
        ("clock", {}, 400, "today"),
        ("listing", {"delist": ["0000"]}, 400, "0000 is not listed"),
        ("listing", {"add": ["7203"]}, 400, "7203 is listed already"),
        (
            "corporate-action",
            {"symbol": "0000", "date": "2026-11-20", "ratio": 2},
            400,
            "0000.T is not listed",
        ),
        (
            "corporate-action",
            {"symbol": "7203", "date": "2026-11-22", "ratio": 2},
            400,
            "no session",
        ),
        ("reset", {"only": "some"}, 400, "some"),
    ],
)
async def test_bad_orders_are_refused(path: str, body: object, status: int, hint: str) -> None:
    """And what is wrong with them is said."""
    async with local() as here:
        answer = await here.control("POST", path, body)
        assert answer.status == status and hint in answer.json["error"]


async def test_unknown_symbols_have_no_bars() -> None:
    """Status 404."""
    async with local() as here:
        answer = await here.control("GET", "bars/0000.T")
        assert answer.status == 404 and "0000.T" in answer.json["error"]
        assert (await here.control("GET", "bars/7203?start=soon")).status == 400
