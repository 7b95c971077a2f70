"""The exchange's list: what is read, what is told, and what is refused."""

from datetime import date, datetime
from pathlib import Path

import pytest

from connectors.stocks.jpx import Listing, ListingError, check, read_listing
from tests.connectors.stocks.workbooks import ENGLISH, JAPANESE, row, workbook

pytestmark = pytest.mark.airflow

XLS = Path(__file__).with_name("data_j.xls")
"""Written with xlwt 1.3.0: the Japanese headers, then 1301, 130A, 1306 (an ETF) and 25935, with
numbers as number cells and `-` for what is absent, sheet `Sheet1`."""


def of(*rows: list[object]) -> Listing:
    """The list with these rows."""
    return read_listing(workbook(rows), "data_j.xlsx")


def many(count: int) -> Listing:
    """A faultless list of so many stocks."""
    return of(*(row(1000 + number) for number in range(count)))


def test_reads_the_old_format() -> None:
    """The .xls, with number and text codes, an ETF and a class share."""
    listing = read_listing(XLS.read_bytes(), "data_j.xls")
    assert listing.date == date(2026, 8, 31)
    assert listing.faults == ()
    assert [tuple(stock[:5]) for stock in listing.stocks] == [
        ("1301", "極洋", "prime", False, False),
        ("130A", "Veritas In Silico", "growth", False, False),
        ("1306", "ＮＥＸＴ　ＦＵＮＤＳ　ＴＯＰＩＸ連動型上場投信", "etf", False, False),
        ("25935", "伊藤園　第１種優先株式", "prime", False, True),
    ]
    assert listing.stocks[0][5:] == ("水産・農林業", "食品", "TOPIX Small 2")
    assert listing.stocks[2][5:] == (None, None, None)


def test_reads_the_new_format() -> None:
    """The .xlsx, where a whole number is a float cell."""
    listing = of(row(7203), row("130A", "グロース（内国株式）"), row(25935))
    assert [stock.code for stock in listing.stocks] == ["7203", "130A", "25935"]
    assert [stock.symbol for stock in listing.stocks] == ["7203.T", "130A.T", "25935.T"]
    assert [stock.is_class_share for stock in listing.stocks] == [False, False, True]


@pytest.mark.parametrize(
    ("words", "segment", "is_foreign"),
    [
        ("Prime Market (Domestic)", "prime", False),
        ("Standard Market(Domestic)", "standard", False),
        ("Growth Market(Domestic)", "growth", False),
        ("Prime Market(Foreign)", "prime", True),
        ("Standard Market(Foreign)", "standard", True),
        ("Growth Market (Foreign)", "growth", True),
        ("PRO Market", "pro", False),
        ("ETFs/ ETNs", "etf", False),
        ("REIT, Venture Funds, Country Funds and Infrastructure Funds", "reit", False),
        ("Equity Contribution Securities", "certificate", False),
        ("プライム（内国株式）", "prime", False),
        ("スタンダード（内国株式）", "standard", False),
        ("グロース（内国株式）", "growth", False),
        ("プライム（外国株式）", "prime", True),
        ("スタンダード(外国株式)", "standard", True),
        ("グロース（外国株式）", "growth", True),
        ("ETF・ETN", "etf", False),
        ("REIT・ベンチャーファンド・カントリーファンド・インフラファンド", "reit", False),
        ("出資証券", "certificate", False),
    ],
)
def test_knows_the_segments(words: str, segment: str, is_foreign: bool) -> None:
    """Both languages, with the spaces as published."""
    listing = read_listing(workbook([row(1301, words)], ENGLISH), "data_e.xlsx")
    assert listing.faults == ()
    assert (listing.stocks[0].segment, listing.stocks[0].is_foreign) == (segment, is_foreign)


def test_quarantines_an_unknown_segment() -> None:
    """The stock stays, marked, and the fault names it."""
    listing = of(row(1301, "スーパープライム"))
    assert listing.stocks[0].segment == "unknown"
    assert listing.faults == ("1301 (トヨタ自動車): has the unknown segment 'スーパープライム'",)


def test_keeps_the_first_of_a_code_that_is_there_twice() -> None:
    """And tells it."""
    listing = of(row(1301, name="first"), row("1301", name="second"), row(1302))
    assert listing.stocks[0].name == "first"
    assert listing.faults == ("1301 (second): is there twice, the first row counts",)
    assert len(listing.stocks) == 2


@pytest.mark.parametrize("code", ["", "123", "123456", "７２０", "7203.5", "トヨタ", -7203])
def test_leaves_out_what_has_no_code(code: object) -> None:
    """Never padded, never cut."""
    listing = of(row(code), row(1301))
    assert [stock.code for stock in listing.stocks] == ["1301"]
    assert "has no code of 4 or 5 characters" in listing.faults[0]


@pytest.mark.parametrize("day", [20260831, "20260831", "2026/08/31"])
def test_reads_dates_as_number_and_text(day: object) -> None:
    """However the exchange writes them this month."""
    assert of(row(day=day)).date == date(2026, 8, 31)


def test_reads_date_cells() -> None:
    """A cell with the format of a date."""
    import io

    import xlsxwriter

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, JAPANESE)
        sheet.write_datetime(1, 0, datetime(2026, 8, 31))
        sheet.write_row(1, 1, row()[1:])
    assert read_listing(file.getvalue(), "data_j.xlsx").date == date(2026, 8, 31)


def test_tells_many_faults_of_one_kind_in_one_sentence() -> None:
    """A thousand sentences would be read by nobody."""
    listing = of(*(row(1000 + number, "?") for number in range(100)))
    assert len(listing.faults) == 1
    assert listing.faults[0].count("トヨタ") == 5
    assert "and 95 more" in listing.faults[0]


def test_refuses_a_list_without_one_of_the_columns() -> None:
    """Naming the column in both languages."""
    with pytest.raises(ListingError, match="missing: 規模区分 or Size"):
        read_listing(workbook([row()[:9]], JAPANESE[:9]), "data_j.xlsx")


@pytest.mark.parametrize("data", [b"", b"<html>maintenance</html>", b"PK\x03\x04 cut off"])
def test_refuses_what_is_no_workbook(data: bytes) -> None:
    """An empty file, a page, half a download: with a remedy."""
    with pytest.raises(ListingError, match=r"download it again|set JPX_LISTING_URL"):
        read_listing(data, "data_j.xlsx")


def test_takes_a_good_list() -> None:
    """Also one that shrank a little, or grew."""
    listing = many(100)
    assert check(listing, 105, previous_date=date(2026, 8, 31), min_rows=100) == []
    assert check(listing, 50, min_rows=100) == []
    assert check(listing, min_rows=100) == []


def test_refuses_an_empty_list() -> None:
    """Headers alone would delist everything."""
    assert check(of(), 4000) == ["the list holds no stock"]


def test_refuses_a_short_list() -> None:
    """By default less than 3,000 stocks."""
    assert check(many(99)) == ["the list holds 99 stocks, at least 3000 are expected"]


def test_refuses_a_list_that_shrank() -> None:
    """By more than 5 % by default."""
    (reason,) = check(many(94), 100, min_rows=1)
    assert reason.startswith("the list shrank from 100 to 94 stocks (6.0 %")
    assert check(many(94), 100, min_rows=1, max_shrink=0.1) == []


def test_refuses_a_list_of_several_dates() -> None:
    """Two months pasted together, or none at all."""
    (reason,) = check(of(row(1301), row(1302, day=20260731)), min_rows=1)
    assert reason == "the list should have one date, was 2026-07-31, 2026-08-31"
    assert "was none" in check(of(row(1301, day="-")), min_rows=1)[0]


def test_refuses_a_list_older_than_the_one_in_use() -> None:
    """A cache somewhere, or a file downloaded by hand long ago."""
    (reason,) = check(many(3), previous_date=date(2026, 9, 30), min_rows=1)
    assert reason == "the list is of 2026-08-31, older than the one of 2026-09-30"


def test_refuses_a_list_with_many_faulty_rows() -> None:
    """Then the file means something else than we think."""
    listing = of(*(row(1000 + n, "?" if n < 6 else "PRO Market") for n in range(100)))
    (reason,) = check(listing, min_rows=1)
    assert reason.startswith("6 of 100 rows are faulty: 1000")


def test_gives_every_reason_at_once() -> None:
    """So that a person need not try again and again."""
    assert len(check(of(row(1301, day="-")), 100)) == 4
