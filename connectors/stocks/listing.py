"""The exchange's monthly list of listed stocks: from the file's bytes to checked rows.

    listing = read_listing(data, "data_j.xlsx")
    reasons = check(listing, previous_count=4441)     # empty: the list can be taken over

Reads .xlsx and .xls, with Japanese or English headers. Pure: the file is an argument.
"""

import io
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from python_calamine import CalamineError, CalamineWorkbook

MIN_ROWS = 3000
MAX_SHRINK = 0.05
MAX_FAULTY = 0.05
"""Share of faulty rows from which the file no longer means what we think."""
MAX_TOLD = 5
"""Faults of one kind that are told one by one."""
HEADER_WITHIN = 10
"""Rows from the top in which the header is looked for."""
CODE = re.compile(r"[0-9A-Z]{4,5}")
ORDINARY_LENGTH = 4
ABSENT = frozenset({"", "-", "－", "―"})
UNKNOWN = "unknown"

HEADERS = {
    "date": ("日付", "Effective Date"),
    "code": ("コード", "Local Code"),
    "name": ("銘柄名", "Name (English)"),
    "segment": ("市場・商品区分", "Section/Products"),
    "code33": ("33業種コード", "33 Sector(Code)"),
    "sector33": ("33業種区分", "33 Sector(name)"),
    "code17": ("17業種コード", "17 Sector(Code)"),
    "sector17": ("17業種区分", "17 Sector(name)"),
    "code_size": ("規模コード", "Size Code (New Index Series)"),
    "size": ("規模区分", "Size (New Index Series)"),
}
SEGMENTS = {
    "prime": ("プライム（内国株式）", "Prime Market (Domestic)"),
    "standard": ("スタンダード（内国株式）", "Standard Market(Domestic)"),
    "growth": ("グロース（内国株式）", "Growth Market(Domestic)"),
    "pro": ("PRO Market",),
    "etf": ("ETF・ETN", "ETFs/ ETNs"),
    "reit": (
        "REIT・ベンチャーファンド・カントリーファンド・インフラファンド",
        "REIT, Venture Funds, Country Funds and Infrastructure Funds",
    ),
    "certificate": ("出資証券", "Equity Contribution Securities"),
}
FOREIGN = {
    "prime": ("プライム（外国株式）", "Prime Market(Foreign)"),
    "standard": ("スタンダード（外国株式）", "Standard Market(Foreign)"),
    "growth": ("グロース（外国株式）", "Growth Market (Foreign)"),
}


Day = date
"""Within `Listing` the name `date` is that of a field."""


class ListingError(Exception):
    """There is no list to look at; the text says why and names the remedy."""


class ListedStock(NamedTuple):
    """One row of the list."""

    code: str
    """7203, 130A, or five characters for a class share: never shortened, never a number."""
    name: str
    segment: str
    """prime, standard, growth, pro, etf, reit, certificate; unknown: a word we do not know."""
    is_foreign: bool
    is_class_share: bool
    """Code of five characters: a preferred or class share, or an investment certificate."""
    sector33: str | None
    sector17: str | None
    size: str | None

    @property
    def symbol(self) -> str:
        """Yahoo's name for it."""
        return f"{self.code}.T"


class Listing(NamedTuple):
    """A list as it was read; `check` says whether it is fit to be taken over."""

    date: Day | None
    """Of the list. None where its rows do not agree on one."""
    stocks: tuple[ListedStock, ...]
    """In the file's order, each code once."""
    faults: tuple[str, ...]
    """What was odd, in words; the rows concerned are left out, or have the segment `unknown`."""
    dates: tuple[Day, ...]
    """All dates found, oldest first."""
    rows: int
    """Rows below the header, the faulty ones included."""
    faulty: int


def _plain(text: str) -> str:
    """Without spaces, width and case: the exchange writes each of them now so, now so."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


_COLUMN = {_plain(word): field for field, words in HEADERS.items() for word in words}
_SEGMENT = {
    _plain(word): (segment, foreign)
    for table, foreign in ((SEGMENTS, False), (FOREIGN, True))
    for segment, words in table.items()
    for word in words
}


def read_listing(data: bytes, name: str) -> Listing:
    """Read the file. ListingError where it is no workbook or lacks one of the ten columns."""
    columns, rows = _table(data, name)
    stocks: dict[str, ListedStock] = {}
    dates: set[date] = set()
    faults: list[tuple[str, str]] = []
    for row in rows:
        cells = {field: row[index] for field, index in columns.items()}
        day = _date(cells["date"])
        code = unicodedata.normalize("NFKC", _text(cells["code"])).upper()
        where = f"{code or 'a row without code'} ({_text(cells['name'])})"
        if day is None:
            faults.append(("has no date", where))
        else:
            dates.add(day)
        if not CODE.fullmatch(code):
            faults.append(("has no code of 4 or 5 characters", where))
            continue
        if code in stocks:
            faults.append(("is there twice, the first row counts", where))
            continue
        stocks[code] = stock = _stock(code, cells)
        if stock.segment == UNKNOWN:
            faults.append((f"has the unknown segment {_text(cells['segment'])!r}", where))
    found = tuple(sorted(dates))
    return Listing(
        date=found[0] if len(found) == 1 else None,
        stocks=tuple(stocks.values()),
        faults=tuple(_told(faults)),
        dates=found,
        rows=len(rows),
        faulty=len(faults),
    )


def check(
    listing: Listing,
    previous_count: int | None = None,
    *,
    previous_date: date | None = None,
    min_rows: int = MIN_ROWS,
    max_shrink: float = MAX_SHRINK,
) -> list[str]:
    """Reasons to keep the former list, in words; empty: take this one over.

    ``previous_count`` and ``previous_date`` are the number of stocks and the date of the list in
    use. ``max_shrink`` is the largest share of them that may be missing now.
    """
    count = len(listing.stocks)
    if count == 0:
        return ["the list holds no stock"]
    reasons = []
    if listing.date is None:
        dates = ", ".join(str(day) for day in listing.dates) or "none"
        reasons.append(f"the list should have one date, was {dates}")
    elif previous_date and listing.date < previous_date:
        reasons.append(f"the list is of {listing.date}, older than the one of {previous_date}")
    if count < min_rows:
        reasons.append(f"the list holds {count} stocks, at least {min_rows} are expected")
    if previous_count and count < previous_count * (1 - max_shrink):
        lost = 100 * (1 - count / previous_count)
        reasons.append(
            f"the list shrank from {previous_count} to {count} stocks ({lost:.1f} %, "
            f"at most {100 * max_shrink:.1f} % are believed)"
        )
    if listing.faulty > listing.rows * MAX_FAULTY:
        reasons.append(f"{listing.faulty} of {listing.rows} rows are faulty: {listing.faults[0]}")
    return reasons


def _table(data: bytes, name: str) -> tuple[dict[str, int], list[Sequence[Any]]]:
    """Columns by field, and the rows below the header, of the first sheet that has one."""
    if not data:
        raise ListingError(f"{name}: the file is empty; download it again")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [book.get_sheet_by_name(sheet).to_python() for sheet in book.sheet_names]
    except (CalamineError, ValueError, OSError) as error:
        raise ListingError(
            f"{name}: not a workbook ({error}; it begins with {data[:20]!r}); "
            "set JPX_LISTING_URL to the .xlsx or .xls of the exchange, or to a file://"
        ) from error
    best: set[str] = set()
    for rows in sheets:
        for number, row in enumerate(rows[:HEADER_WITHIN]):
            columns = _columns(row)
            if len(columns) == len(HEADERS):
                below = [each for each in rows[number + 1 :] if any(_text(cell) for cell in each)]
                return columns, below
            best = max(best, set(columns), key=len)
    missing = [" or ".join(words) for field, words in HEADERS.items() if field not in best]
    raise ListingError(
        f"{name}: no header with all ten columns; missing: {'; '.join(missing)}. Is it the list "
        "of listed issues (data_j or data_e)?"
    )


def _columns(row: Sequence[Any]) -> dict[str, int]:
    """Index of each known header in ``row``."""
    found: dict[str, int] = {}
    for index, cell in enumerate(row):
        field = _COLUMN.get(_plain(_text(cell)))
        if field:
            found.setdefault(field, index)
    return found


def _stock(code: str, cells: dict[str, Any]) -> ListedStock:
    segment, is_foreign = _SEGMENT.get(_plain(_text(cells["segment"])), (UNKNOWN, False))
    return ListedStock(
        code=code,
        name=_text(cells["name"]),
        segment=segment,
        is_foreign=is_foreign,
        is_class_share=len(code) > ORDINARY_LENGTH,
        sector33=_optional(cells["sector33"]),
        sector17=_optional(cells["sector17"]),
        size=_optional(cells["size"]),
    )


def _text(cell: Any) -> str:
    """A cell as text. 7203 is a whole number in .xls and 7203.0 in .xlsx: both are '7203'."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


def _optional(cell: Any) -> str | None:
    text = _text(cell)
    return None if text in ABSENT else text


def _date(cell: Any) -> date | None:
    """20260831 as number or text, 2026/08/31, or a date cell."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    try:
        return datetime.strptime(re.sub(r"[/.-]", "", _text(cell)), "%Y%m%d").date()
    except ValueError:
        return None


def _told(faults: list[tuple[str, str]]) -> list[str]:
    """One sentence a fault; of many of one kind the first ones and how many there are."""
    told = []
    for kind, count in Counter(kind for kind, _ in faults).items():
        some = [where for fault, where in faults if fault == kind][:MAX_TOLD]
        more = f" and {count - len(some)} more" if count > len(some) else ""
        told.append(f"{', '.join(some)}{more}: {kind}")
    return told
