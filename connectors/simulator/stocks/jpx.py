"""The exchange's list of issues as an .xlsx file, in Japanese and English."""

import io
from datetime import date
from typing import NamedTuple

import xlsxwriter
from aiohttp import web

from connectors.simulator.stocks import replies
from connectors.simulator.stocks.answering import Answering, Made
from connectors.simulator.stocks.issues import SECTORS, SIZES, Issue
from connectors.simulator.stocks.ledger import LISTING
from connectors.simulator.stocks.replies import Reply
from connectors.simulator.stocks.world import World

JAPANESE = (
    "日付",
    "コード",
    "銘柄名",
    "市場・商品区分",
    "33業種コード",
    "33業種区分",
    "17業種コード",
    "17業種区分",
    "規模コード",
    "規模区分",
)
ENGLISH = (
    "Effective Date",
    "Local Code",
    "Name (English)",
    "Section/Products",
    "33 Sector(Code)",
    "33 Sector(name)",
    "17 Sector(Code)",
    "17 Sector(name)",
    "Size Code (New Index Series)",
    "Size (New Index Series)",
)
_ABSENT = "-"
_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Knobs(NamedTuple):
    """What may be wrong with the file."""

    rows: int | None = None
    """Only the first so many."""
    duplicates: int = 0
    """The first so many stand there twice."""
    day: date | None = None
    """Another date than the newest month's end."""
    second_day: date | None = None
    """The last row has this date."""
    unknown_segment: bool = False
    """The last row is of a segment nobody knows."""


class Listing:
    """The file of the day; made once and again after each change."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._made: dict[str, bytes] = {}
        self.knobs = Knobs()

    def changed(self, knobs: Knobs | None = None) -> None:
        """The list is another, or made in another way."""
        self.knobs = knobs or self.knobs
        self._made.clear()

    def add_routes(self, application: web.Application) -> None:
        """The two files."""
        application.router.add_get("/jpx/data_{language:[je]}.xlsx", self.file, allow_head=False)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The list; `data_j.xlsx` in Japanese, `data_e.xlsx` in English."""
        language = request.match_info["language"]

        def make(fault: object) -> Made:
            if language not in self._made:
                self._made[language] = workbook(
                    rows(self._answering.world, self.knobs, english=language == "e")
                )
            return Made(Reply(200, self._made[language], _EXCEL))

        return await self._answering.answer(request, LISTING, make)

    async def missing(self, request: web.Request) -> web.StreamResponse:
        """Another file of the exchange: there is none."""
        reply = replies.page(404, "Not Found")
        return await self._answering.answer(request, LISTING, lambda _: Made(reply))


def listing_day(world: World) -> date:
    """The last session of the month before: the list is published once a month."""
    first = world.today.replace(day=1)
    return world.calendar.last_until(date.fromordinal(first.toordinal() - 1))


def rows(world: World, knobs: Knobs, *, english: bool) -> list[tuple[object, ...]]:
    """Header and rows as they stand in the file, by code."""
    day = knobs.day or listing_day(world)
    found = [_row(day, issue, english) for issue in world.listed()]
    found = found[: knobs.duplicates] + found
    if knobs.rows is not None:
        found = found[: knobs.rows]
    if found and knobs.second_day is not None:
        found[-1] = (_number(knobs.second_day), *found[-1][1:])
    if found and knobs.unknown_segment:
        found[-1] = (*found[-1][:3], "Moon Market", *found[-1][4:])
    return [ENGLISH if english else JAPANESE, *found]


def workbook(table: list[tuple[object, ...]]) -> bytes:
    """One sheet with these rows."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Sheet1")
        for place, row in enumerate(table):
            sheet.write_row(place, 0, row)
    return buffer.getvalue()


def _row(day: date, issue: Issue, english: bool) -> tuple[object, ...]:
    sector: tuple[object, ...] = (_ABSENT,) * 4
    if issue.sector is not None:
        code33, japanese33, english33, code17, japanese17, english17 = SECTORS[issue.sector]
        sector = (
            int(code33),
            english33 if english else japanese33,
            int(code17),
            english17 if english else japanese17,
        )
    size: tuple[object, ...] = (_ABSENT,) * 2
    if issue.size is not None:
        size = (int(SIZES[issue.size][0]), SIZES[issue.size][1])
    # Codes of digits are numbers in the exchange's file, the others text.
    code = int(issue.code) if issue.code.isdigit() else issue.code
    name = issue.english if english else issue.japanese
    segment = issue.segment.english if english else issue.segment.japanese
    return (_number(day), code, name, segment, *sector, *size)


def _number(day: date) -> int:
    return int(f"{day:%Y%m%d}")
