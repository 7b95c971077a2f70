"""Listing files for tests: .xlsx as the exchange writes them."""

import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter

JAPANESE = (
    "日付", "コード", "銘柄名", "市場・商品区分", "33業種コード", "33業種区分",
    "17業種コード", "17業種区分", "規模コード", "規模区分",
)  # fmt: skip
ENGLISH = (
    "Effective Date", "Local Code", "Name (English)", "Section/Products",
    "33 Sector(Code)", "33 Sector(name)", "17 Sector(Code)", "17 Sector(name)",
    "Size Code (New Index Series)", "Size (New Index Series)",
)  # fmt: skip


def row(
    code: object = 7203,
    segment: str = "プライム（内国株式）",
    name: str = "トヨタ自動車",
    day: object = 20260831,
) -> list[object]:
    """One row of the list."""
    return [day, code, name, segment, 3700, "輸送用機器", 6, "自動車・輸送機 ", 1, "TOPIX Core30"]


def workbook(rows: Sequence[Sequence[Any]], headers: Sequence[str] = JAPANESE) -> bytes:
    """A .xlsx with one sheet; numbers become number cells."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Sheet1")
        for number, cells in enumerate([headers, *rows]):
            sheet.write_row(number, 0, cells)
    return file.getvalue()
