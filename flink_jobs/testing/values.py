"""Values in cases: compact tables, relative times, numbers.

A table is a text block: the first line names the columns, `|` parts cells, an empty cell is NULL:

    symbol   | ts_event | price
    BTC-USDT | +1.5s    | 101.5
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from flink_jobs.errors import JobError

Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = "2026-02-25 06:00:00"
"""The instant that relative times count from, where a case does not say `start:`."""
RELATIVE = re.compile(r"[+-](?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+")
PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
ABSOLUTE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?")
BAR = re.compile(r"(?:(?<=\s)|^)\|(?=\s|$)")
"""A bar between cells stands alone: `binance|BTC-USDT` is one cell."""
MICROS = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}


def rows(given: Any) -> list[Row]:
    """Rows of a source or an expectation: a list, a table, or either under `rows:`.

    `every:` holds the columns that rows leave out. JobError for a line with too many cells.
    """
    if isinstance(given, Mapping):
        every = given.get("every", {})
        return [{**every, **row} for row in rows(given.get("rows", []))]
    if isinstance(given, str):
        return _table(given)
    return [dict(row) for row in given or []]


def _table(text: str) -> list[Row]:
    lines = [[cell.strip() for cell in BAR.split(line)] for line in text.strip("\n").splitlines()]
    names = lines[0]
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(names):
            raise JobError(
                f"line {number} of the table has {len(cells)} cells, its head has {len(names)}: "
                f"{' | '.join(cells)}"
            )
    return [dict(zip(names, map(_cell, cells), strict=True)) for cells in lines[1:]]


def _cell(text: str) -> Any:
    if text in ("", "null"):
        return None
    if text in ("true", "false") or text.startswith(("[", "{", '"')):
        return json.loads(text)
    return text


def instant(text: str, start: str) -> datetime | None:
    """The time that a text means: `+1m30s` after the start, or a date and time; else None."""
    if RELATIVE.fullmatch(text):
        micros = sum(Decimal(n) * MICROS[unit] for n, unit in PART.findall(text))
        sign = -1 if text.startswith("-") else 1
        return _absolute(start) + timedelta(microseconds=sign * int(micros))
    if ABSOLUTE.fullmatch(text):
        with suppress(ValueError):  # such as February 31: a text that a model must refuse
            return _absolute(text)
    return None


def _absolute(text: str) -> datetime:
    return datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=UTC)


def given_value(name: str, value: Any, start: str) -> Any:
    """A value for a source: µs since the epoch in columns named `ts_…`, else ISO 8601 UTC text."""
    moment = instant(value, start) if isinstance(value, str) else None
    if moment is None:
        return value
    if name.startswith("ts_"):
        return (moment - EPOCH) // timedelta(microseconds=1)
    if RELATIVE.fullmatch(value):
        kind = "milliseconds" if moment.microsecond % 1000 == 0 else "microseconds"
        return moment.replace(tzinfo=None).isoformat(timespec=kind) + "Z"
    return value


def expected_value(value: Any, start: str) -> Any:
    """A value of an expected row: relative times as Flink shows them, to the millisecond."""
    if isinstance(value, str) and RELATIVE.fullmatch(value):
        moment = instant(value, start)
        assert moment is not None
        return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")
    return value


def shown(value: Any) -> str:
    """Text by which values are compared: numbers without trailing zeros, NULL for none."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    return f"{number.normalize():f}" if number.is_finite() else str(value)
