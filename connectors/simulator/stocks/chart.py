"""Yahoo's chart answers: which window was asked for, and the document with its bars. Pure.

Times are seconds since 1970; a daily bar carries 09:00 in Tokyo, which is midnight UTC.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from connectors.simulator.stocks.adjusted import Series, window
from connectors.simulator.stocks.issues import Issue, Segment

VALID_RANGES = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")
VALID_INTERVALS = "1m, 2m, 5m, 15m, 30m, 60m, 90m, 1h, 4h, 1d, 5d, 1wk, 1mo, 3mo"
INTERVAL = "1d"
"""The only one that is played here; the others are refused as Yahoo refuses unknown ones."""
OFFSET = 9 * 3600
_DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_OPENING, _CLOSING, _LAST_PRICE = 0, 6 * 3600 + 1800, 6 * 3600 + 1800 + 2
"""Seconds after a bar's time."""
_MONTHS = {"mo": 1, "y": 12}

Document = dict[str, Any]


class Refused(Exception):
    """Yahoo answers with an error: ``status`` and the words of the document."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.document = error(code, description)


class Query(NamedTuple):
    """What is asked for: days in [first, last], and which events."""

    first: date
    last: date
    range: str
    dividends: bool
    splits: bool
    asked: tuple[int, int] | None
    """``period1`` and ``period2`` as they came."""


def error(code: str, description: str) -> Document:
    """The document of a refusal."""
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


def not_found() -> Refused:
    """Yahoo does not know the symbol."""
    return Refused(404, "Not Found", "No data found, symbol may be delisted")


def no_data(query: Query) -> Refused:
    """There are no bars in the window."""
    first, last = query.asked or (time_of(query.first), time_of(query.last))
    text = f"Data doesn't exist for startDate = {first}, endDate = {last}"
    return Refused(400, "Bad Request", text)


def parse(params: Mapping[str, str], series: Series, today: date) -> Query:
    """The window that the parameters of a request mean; Refused where they mean none."""
    interval = params.get("interval", INTERVAL)
    if interval != INTERVAL:
        text = f"Invalid input - interval={interval} is not supported. "
        raise Refused(400, "Bad Request", f"{text}Valid intervals: [{VALID_INTERVALS}]")
    events = params.get("events", "")
    dividends, splits = "div" in events, "split" in events
    if "period1" in params or "period2" in params:
        asked = _periods(params, today)
        first, last = (_session(time) for time in asked)
        return Query(first, last - timedelta(days=1), "", dividends, splits, asked)
    wanted = params.get("range", "1mo").lower()
    first = _range_start(wanted, series, today)
    return Query(first, today, wanted, dividends, splits, None)


def answer(issue: Issue, series: Series, query: Query, today: date) -> Document:
    """The chart; Refused where no bar lies in the window."""
    part = window(series, query.first, query.last)
    if not part.days:
        raise no_data(query)
    result: Document = {
        "meta": _meta(issue, series, part, query, today),
        "timestamp": [time_of(day) for day in part.days],
    }
    events = _events(part, query)
    if events:
        result["events"] = events
    result["indicators"] = {
        "quote": [
            {
                "open": part.opens,
                "high": part.highs,
                "low": part.lows,
                "close": part.closes,
                "volume": part.volumes,
            }
        ],
        "adjclose": [{"adjclose": part.adjusted}],
    }
    return {"chart": {"result": [result], "error": None}}


def time_of(day: date) -> int:
    """The time that a day's bar carries."""
    return (day.toordinal() - _EPOCH) * _DAY


def _session(time: int) -> date:
    """The first day whose bar is not before a time."""
    ordinal = _EPOCH - (-time // _DAY)
    return date.fromordinal(max(1, min(ordinal, date.max.toordinal())))


def _periods(params: Mapping[str, str], today: date) -> tuple[int, int]:
    try:
        first = int(params.get("period1", "0"))
        last = int(params.get("period2", time_of(today + timedelta(days=1))))
    except ValueError:
        raise Refused(400, "Bad Request", "Invalid input - period1 or period2") from None
    if first >= last:
        text = f"Invalid input - start date cannot be after end date. startDate = {first}, "
        raise Refused(400, "Bad Request", f"{text}endDate = {last}")
    return first, last


def _range_start(wanted: str, series: Series, today: date) -> date:
    """The first day of a range that ends today; `5d` are five sessions, `1mo` is by calendar."""
    if wanted == "max":
        return date.min
    if wanted == "ytd":
        return date(today.year, 1, 1)
    match = re.fullmatch(r"([1-9]\d{0,3})(d|wk|mo|y)", wanted)
    if match is None:
        text = f"Invalid input - range={wanted} is not supported. "
        raise Refused(400, "Bad Request", f"{text}Valid ranges: [{', '.join(VALID_RANGES)}]")
    number, unit = int(match[1]), match[2]
    if unit == "d":
        return series.days[-number] if number <= len(series.days) else date.min
    if unit == "wk":
        return today - timedelta(days=7 * number)
    months = today.year * 12 + today.month - 1 - number * _MONTHS[unit]
    if months < 12:
        return date.min
    return date(months // 12, months % 12 + 1, min(today.day, 28)) + timedelta(days=1)


def _events(part: Series, query: Query) -> Document:
    found: Document = {}
    if query.dividends and part.dividends:
        found["dividends"] = {
            str(time_of(one.day)): {"amount": one.amount, "date": time_of(one.day)}
            for one in part.dividends
        }
    if query.splits and part.splits:
        found["splits"] = {}
        for split in part.splits:
            key = str(time_of(split.day))
            old = found["splits"].get(key, {"numerator": 1.0, "denominator": 1.0})
            above = old["numerator"] * split.numerator
            below = old["denominator"] * split.denominator
            found["splits"][key] = {
                "date": time_of(split.day),
                "numerator": above,
                "denominator": below,
                "splitRatio": f"{above:g}:{below:g}",
            }
    return found


def _meta(issue: Issue, series: Series, part: Series, query: Query, today: date) -> Document:
    newest = time_of(series.days[-1])
    opening, closing = newest + _OPENING, newest + _CLOSING
    year = window(series, today - timedelta(days=365), today)
    place = series.days.index(part.days[0])

    def period(start: int, end: int) -> Document:
        return {"timezone": "JST", "start": start, "end": end, "gmtoffset": OFFSET}

    return {
        "currency": "JPY",
        "symbol": issue.symbol,
        "exchangeName": "JPX",
        "fullExchangeName": "Tokyo",
        "instrumentType": "ETF" if issue.segment is Segment.FUND else "EQUITY",
        "firstTradeDate": time_of(series.days[0]),
        "regularMarketTime": newest + _LAST_PRICE,
        "hasPrePostMarketData": False,
        "gmtoffset": OFFSET,
        "timezone": "JST",
        "exchangeTimezoneName": "Asia/Tokyo",
        "regularMarketPrice": series.closes[-1],
        "fiftyTwoWeekHigh": max(year.highs or series.highs),
        "fiftyTwoWeekLow": min(year.lows or series.lows),
        "regularMarketDayHigh": series.highs[-1],
        "regularMarketDayLow": series.lows[-1],
        "regularMarketVolume": series.volumes[-1],
        "longName": issue.english,
        "shortName": issue.english.upper(),
        "chartPreviousClose": series.closes[max(0, place - 1)],
        "priceHint": 2,
        "currentTradingPeriod": {
            "pre": period(opening, opening),
            "regular": period(opening, closing),
            "post": period(closing, closing),
        },
        "dataGranularity": INTERVAL,
        "range": query.range,
        "validRanges": list(VALID_RANGES),
    }
