"""Yahoo's paths over HTTP."""

from connectors.simulator.stocks.yahoo import CRUMB
from tests.connectors.simulator.stocks.harness import local

A3 = "A3=d=AQABBSIMULATED&S=AQAAAsimulated"


async def test_a_chart_holds_the_truth() -> None:
    """Bars and events are those that /control/bars tells."""
    async with local(years=3) as here:
        answer = await here.chart(range="max")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("application/json")
        result = answer.json["chart"]["result"][0]
        truth = (await here.control("GET", "bars/7203")).json["bars"]
        quote = result["indicators"]["quote"][0]
        for name in ("open", "high", "low", "close", "volume"):
            assert quote[name] == [bar[name] for bar in truth]
        adjusted = result["indicators"]["adjclose"][0]["adjclose"]
        assert adjusted == [bar["adj_close"] for bar in truth]
        paid = [one["amount"] for one in result["events"]["dividends"].values()]
        assert paid == [bar["dividends"] for bar in truth if bar["dividends"]] != []


async def test_symbols_in_any_case_and_unknown_ones() -> None:
    """404 with Yahoo's words for what it does not know."""
    async with local() as here:
        assert (await here.chart("7203.t")).status == 200
        unknown = await here.chart("0000.T")
        assert unknown.status == 404
        assert unknown.json["chart"]["error"] == {
            "code": "Not Found",
            "description": "No data found, symbol may be delisted",
        }


async def test_bad_ranges_and_empty_windows_get_400() -> None:
    """With a document that says why."""
    async with local() as here:
        for params in ({"range": "forever"}, {"interval": "2d"}, {"period1": "1", "period2": "2"}):
            answer = await here.chart(**params)
            assert answer.status == 400 and answer.json["chart"]["result"] is None


async def test_what_only_asks_for_the_time_zone_is_told_from_prices() -> None:
    """Only prices count as served."""
    async with local() as here:
        path = "/v8/finance/chart/7203.T"
        zone = await here.get(path, range="1d", interval="1d", crumb="whatever")
        meta = zone.json["chart"]["result"][0]["meta"]
        assert meta["exchangeTimezoneName"] == "Asia/Tokyo"
        await here.chart(range="1d")
        state = await here.state()
        assert state["by_kind"] == {"timezone": {"200": 1}, "price": {"200": 1}}
        assert state["served"] == {"7203.T": 1}


async def test_cookie_crumb_and_consent() -> None:
    """The cookie host answers 404 and brings the cookie; the crumb is plain text."""
    async with local() as here:
        page = await here.get("/")
        assert page.status == 404 and page.headers["Set-Cookie"].startswith(f"{A3};")
        crumb = await here.get("/v1/test/getcrumb")
        assert (crumb.status, crumb.text) == (200, CRUMB)
        consent = await here.get("/consent")
        assert 'name="csrfToken"' in consent.text and 'name="sessionId"' in consent.text
        copied = await here.get("/copyConsent", sessionId="1_sim")
        assert copied.status == 200 and copied.headers["Set-Cookie"].startswith("A3=")
        state = await here.state()
        assert state["by_kind"] == {
            "cookie": {"404": 1},
            "crumb": {"200": 1},
            "consent": {"200": 2},
        }


async def test_prices_need_cookie_and_crumb_when_they_are_checked() -> None:
    """401 Invalid Crumb, as for quotes; a crumb needs the cookie."""
    async with local(check_crumb=True) as here:
        here.http.cookie_jar.clear()
        assert (await here.get("/v1/test/getcrumb")).status == 401
        headers = {"Cookie": A3}
        url = here.running.url
        async with here.http.get(f"{url}/v1/test/getcrumb", headers=headers) as response:
            crumb = await response.text()
        for given, status in ((crumb, 200), ("wrong", 401)):
            chart = f"{url}/v8/finance/chart/7203.T?range=5d&crumb={given}"
            async with here.http.get(chart, headers=headers) as response:
                assert response.status == status
        refused = await here.chart(crumb=crumb)
        assert refused.status == 401
        assert refused.json["finance"]["error"]["description"] == "Invalid Crumb"


async def test_quotes_know_the_kind_of_a_symbol() -> None:
    """With cookie and crumb only."""
    async with local() as here:
        path = "/v10/finance/quoteSummary"
        assert (await here.get(f"{path}/7203.T")).status == 401
        headers, url = {"Cookie": A3}, here.running.url
        async with here.http.get(f"{url}{path}/7203.T?crumb={CRUMB}", headers=headers) as found:
            quote = (await found.json())["quoteSummary"]["result"][0]["quoteType"]
            assert quote["timeZoneFullName"] == "Asia/Tokyo"
        async with here.http.get(f"{url}{path}/0000.T?crumb={CRUMB}", headers=headers) as unknown:
            assert unknown.status == 404
            error = (await unknown.json())["quoteSummary"]["error"]
            assert error["description"] == "Quote not found for symbol: 0000.T"
        several = f"{url}/v7/finance/quote?symbols=7203.T,0000.T&crumb={CRUMB}"
        async with here.http.get(several, headers=headers) as response:
            (quote,) = (await response.json())["quoteResponse"]["result"]
            assert quote["symbol"] == "7203.T"


async def test_other_paths_are_not_found_and_counted() -> None:
    """As pages."""
    async with local() as here:
        answer = await here.get("/v9/finance/anything")
        assert answer.status == 404 and "html" in answer.headers["Content-Type"]
        assert (await here.state())["by_kind"] == {"other": {"404": 1}}
