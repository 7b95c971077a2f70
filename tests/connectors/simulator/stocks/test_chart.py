"""Yahoo's chart documents."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.simulator.stocks import chart
from tests.connectors.simulator.stocks.harness import TODAY, world

MARKET = world()
SYMBOL = "7203.T"
ISSUE, SERIES = MARKET.issues[SYMBOL], MARKET.series(SYMBOL)


def ask(**params: str) -> Any:
    """The result of a request; chart.Refused where there is none."""
    query = chart.parse(params, SERIES, TODAY)
    document = chart.answer(ISSUE, SERIES, query, TODAY)
    assert document["chart"]["error"] is None
    return document["chart"]["result"][0]


def dates(result: Any) -> list[date]:
    """The days of the bars; each time must be nine in the morning in Tokyo."""
    moments = [datetime.fromtimestamp(time, UTC) for time in result["timestamp"]]
    assert all((moment + timedelta(hours=9)).hour == 9 for moment in moments)
    return [moment.date() for moment in moments]


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("1d", date(2026, 11, 20)),
        ("5d", date(2026, 11, 16)),
        ("1mo", date(2026, 10, 21)),
        ("3mo", date(2026, 8, 21)),
        ("1y", date(2025, 11, 21)),
        ("2wk", date(2026, 11, 6)),
        ("ytd", date(2026, 1, 5)),
        ("max", date(2024, 11, 20)),
        ("10y", date(2024, 11, 20)),
    ],
)
def test_ranges(wanted: str, first: date) -> None:
    """From their first day to today."""
    found = dates(ask(range=wanted, interval="1d"))
    assert found[0] == first and found[-1] == TODAY


def test_periods_hold_the_first_and_not_the_second() -> None:
    """Midnight in Tokyo lies before that day's bar."""

    def midnight(day: date) -> str:
        return str(chart.time_of(day) - chart.OFFSET)

    found = ask(period1=midnight(date(2026, 11, 16)), period2=midnight(date(2026, 11, 18)))
    assert dates(found) == [date(2026, 11, 16), date(2026, 11, 17)]
    exact = str(chart.time_of(date(2026, 11, 18)))
    assert dates(ask(period1=exact)) == SERIES.days[-3:]
    assert dates(ask(period1="-2000000000"))[0] == SERIES.days[0]


def test_meta_says_what_clients_read() -> None:
    """Currency, zone, first trade, the newest price and the ranges."""
    meta = ask(range="1mo")["meta"]
    assert meta["currency"] == "JPY" and meta["exchangeName"] == "JPX"
    assert meta["exchangeTimezoneName"] == "Asia/Tokyo" and meta["gmtoffset"] == 32400
    assert meta["firstTradeDate"] == chart.time_of(SERIES.days[0])
    assert meta["regularMarketPrice"] == SERIES.closes[-1]
    assert meta["instrumentType"] == "EQUITY" and meta["range"] == "1mo"
    assert meta["validRanges"][-1] == "max" and meta["dataGranularity"] == "1d"


def test_events_come_only_when_asked_for() -> None:
    """By the time of their bar."""
    market = world()
    market.split(SYMBOL, date(2026, 11, 19), 3, 2)
    market.split(SYMBOL, date(2026, 11, 19), 2, 1)
    series = market.series(SYMBOL)

    def events(asked: str) -> Any:
        query = chart.parse({"range": "max", "events": asked}, series, TODAY)
        return chart.answer(ISSUE, series, query, TODAY)["chart"]["result"][0].get("events")

    assert events("") is None
    assert set(events("div,splits,capitalGains")) == {"dividends", "splits"}
    time = chart.time_of(date(2026, 11, 19))
    assert events("split") == {
        "splits": {
            str(time): {
                "date": time,
                "numerator": 6.0,
                "denominator": 2.0,
                "splitRatio": "6:2",
            }
        }
    }
    paid = events("div")["dividends"]
    assert [(one["date"], one["amount"]) for one in paid.values()] == [
        (chart.time_of(one.day), one.amount) for one in series.dividends
    ]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"range": "1mo", "interval": "7m"}, "Invalid input - interval=7m is not supported."),
        ({"range": "forever"}, "Invalid input - range=forever is not supported."),
        ({"period1": "soon"}, "Invalid input"),
        ({"period1": "20", "period2": "10"}, "start date cannot be after end date"),
        (
            {"period1": "100", "period2": "200000"},
            "Data doesn't exist for startDate = 100, endDate = 200000",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_400(params: dict[str, str], words: str) -> None:
    """In Yahoo's words."""
    with pytest.raises(chart.Refused) as caught:
        ask(**params)
    fault = caught.value.document["chart"]["error"]
    assert caught.value.status == 400 and fault["code"] == "Bad Request"
    assert words in fault["description"]
    assert caught.value.document["chart"]["result"] is None
