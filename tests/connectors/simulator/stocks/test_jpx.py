"""The list of issues."""

import io
import zipfile
from datetime import date

from connectors.simulator.stocks.jpx import ENGLISH, JAPANESE, Knobs, listing_day, rows, workbook
from tests.connectors.simulator.stocks.harness import local, world


def test_rows_are_as_the_exchange_writes_them() -> None:
    """Codes of digits are numbers, others text; what is absent is a dash."""
    table = rows(world(), Knobs(), english=False)
    assert table[0] == JAPANESE and len(table) == len(world().issues) + 1
    by_code = {row[1]: row for row in table[1:]}
    assert by_code[7203][:4] == (20261030, 7203, "模擬7203", "プライム（内国株式）")
    assert by_code["130A"][1] == "130A"
    fund = next(row for row in table if row[3] == "ETF・ETN")
    assert fund[4:] == ("-",) * 6


def test_the_english_file_has_its_own_words() -> None:
    """Same codes in the same order."""
    table = rows(world(), Knobs(), english=True)
    assert table[0] == ENGLISH
    assert [row[:2] for row in table[1:]] == [
        row[:2] for row in rows(world(), Knobs(), english=False)[1:]
    ]
    assert {row[3] for row in table[1:]} >= {"Prime Market (Domestic)", "ETFs/ ETNs"}


def test_the_list_is_of_the_last_session_of_the_month_before() -> None:
    """It is published once a month."""
    assert listing_day(world()) == date(2026, 10, 30)


def test_knobs_spoil_it() -> None:
    """Short, doubled, of another day, of two days, with an unknown segment."""
    market = world()
    sound = rows(market, Knobs(), english=False)
    assert len(rows(market, Knobs(rows=3), english=False)) == 4
    doubled = rows(market, Knobs(duplicates=2), english=False)
    assert len(doubled) == len(sound) + 2 and doubled[1] == doubled[3]
    moved = rows(market, Knobs(day=date(2026, 8, 31)), english=False)
    assert {row[0] for row in moved[1:]} == {20260831}
    mixed = rows(market, Knobs(second_day=date(2026, 8, 31)), english=False)
    assert {row[0] for row in mixed[1:]} == {20261030, 20260831}
    assert rows(market, Knobs(unknown_segment=True), english=True)[-1][3] == "Moon Market"


def test_a_workbook_has_one_sheet() -> None:
    """With the exchange's name for it."""
    with zipfile.ZipFile(io.BytesIO(workbook([("a", 1)]))) as book:
        assert b'name="Sheet1"' in book.read("xl/workbook.xml")


async def test_both_files_are_served_and_counted_apart_from_yahoo() -> None:
    """Other files of the exchange are not there."""
    async with local() as here:
        assert (await here.get("/jpx/data_j.xls")).status == 404
        for name in ("data_j", "data_e"):
            url = f"{here.running.url}/jpx/{name}.xlsx"
            async with here.http.get(url) as response:
                assert response.status == 200
                assert zipfile.is_zipfile(io.BytesIO(await response.read()))
        state = await here.state()
        assert state["http_calls"] == 0
        assert state["by_kind"] == {"listing": {"404": 1, "200": 2}}


async def test_faults_may_hit_the_list() -> None:
    """Of prices they leave it alone."""
    async with local() as here:
        await here.fault("server_error")
        await here.fault("unavailable", on="listing", count=1)
        assert (await here.get("/jpx/data_j.xlsx")).status == 503
        async with here.http.get(f"{here.running.url}/jpx/data_j.xlsx") as response:
            assert response.status == 200
