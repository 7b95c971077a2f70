"""Taking the exchange's list over, or not."""

from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from xlsxwriter import Workbook

from connectors.stocks.listing import HEADERS
from connectors.stocks.settings import StockSettings
from dags.batch import master
from dags.batch.master import MasterMissing, Taken
from tests.dags.batch.market import days, plain
from tests.dags.conftest import BatchDatabase

pytestmark = [pytest.mark.airflow, pytest.mark.integration]

CODES = tuple(str(code) for code in range(1301, 1341))


def refresh(
    database: BatchDatabase, folder: Path, codes: tuple[str, ...], day: str = "20261030"
) -> Taken:
    """Write a list with these codes and take it over."""
    data = BytesIO()
    with Workbook(data) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [words[0] for words in HEADERS.values()])
        for row, code in enumerate(codes, 1):
            sheet.write_row(row, 0, [day, code, f"会社{code}", "プライム（内国株式）", *["-"] * 6])
    file = folder / "data_j.xlsx"
    file.write_bytes(data.getvalue())
    return master.refresh(database.connection, settings(file))


def settings(file: Path) -> StockSettings:
    """A list of thirty is long enough."""
    return StockSettings(jpx_listing_url=file.as_uri(), jpx_min_rows=30)


def statuses(database: BatchDatabase) -> dict[str, str]:
    """Status by code."""
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT code, status FROM stocks")
        return dict(cursor.fetchall())


def test_a_list_becomes_the_master(database: BatchDatabase, tmp_path: Path) -> None:
    """Again the same: nothing changes."""
    taken = refresh(database, tmp_path, CODES)
    assert taken == Taken(True, date(2026, 10, 30), 40, 40, 0, None)
    assert refresh(database, tmp_path, CODES)[1:5] == (date(2026, 10, 30), 40, 0, 0)
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT symbol, name, segment, last_seen FROM stocks WHERE code = '1301'")
        assert cursor.fetchone() == ("1301.T", "会社1301", "prime", date(2026, 10, 30))


def test_who_is_gone_is_delisted_and_may_come_back(database: BatchDatabase, tmp_path: Path) -> None:
    """Prices stay, and so does the day on which it was last seen."""
    refresh(database, tmp_path, CODES)
    with database.connection.cursor() as cursor:
        for bar in map(plain, days(3)):
            cursor.execute(
                "INSERT INTO daily_bars (symbol, trade_date, close) VALUES ('1301.T', %s, %s)",
                (bar.trade_date, bar.close),
            )
    taken = refresh(database, tmp_path, (*CODES[1:], "130A"), "20261113")
    assert (taken.listed, taken.added, taken.delisted) == (40, 1, 1)
    assert statuses(database)["1301"] == "delisted"
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT last_seen FROM stocks WHERE code = '1301'")
        assert cursor.fetchone() == (date(2026, 10, 30),)
        cursor.execute("SELECT count(*) FROM daily_bars")
        assert cursor.fetchone() == (3,)
    taken = refresh(database, tmp_path, (*CODES, "130A"), "20261120")
    assert (taken.listed, taken.added, taken.delisted) == (41, 1, 0)
    assert set(statuses(database).values()) == {"listed"}


def test_a_bad_list_changes_nothing_and_says_why(database: BatchDatabase, tmp_path: Path) -> None:
    """Short, older, unreadable, not there: each is noted with its reason."""
    refresh(database, tmp_path, CODES)
    before = statuses(database)
    assert not refresh(database, tmp_path, CODES[:31], "20261113").accepted
    assert not refresh(database, tmp_path, CODES, "20260930").accepted
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"<html>Sorry</html>")
    assert not master.refresh(database.connection, settings(broken)).accepted
    gone = master.refresh(database.connection, settings(tmp_path / "gone.xlsx"))
    assert (gone.accepted, gone.listed) == (False, 40)
    assert "gone.xlsx" in str(gone.reason)
    assert statuses(database) == before
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT accepted, reason FROM stock_listings ORDER BY id")
        accepted, reasons = zip(*cursor.fetchall(), strict=True)
    assert accepted == (True, False, False, False, False)
    assert all(reasons[1:])


def test_without_any_list_there_is_nothing_to_do(database: BatchDatabase, tmp_path: Path) -> None:
    """A bad list and an empty master: red, with the remedy, and the reason is kept."""
    with pytest.raises(MasterMissing, match="JPX_LISTING_URL"):
        refresh(database, tmp_path, ())
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM stock_listings WHERE NOT accepted")
        assert cursor.fetchone() == (1,)
