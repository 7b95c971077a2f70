"""The pages of docs/: their code blocks and links, read from Markdown.

What stands after a block's language says what the block is, so that tests can run it:

    text given         rows of trades for the queries below it, as a table of the SQL test kit
    sql NAME           a query over them; docs/pictures/NAME.svg is drawn from what it gives
    yaml NAME          a case of the SQL test kit, complete
    text result        what the query above gives, row for row
    sql file=PATH      a file that the reader writes; also yaml
    bash NAME          commands that the reader types
    text output        what the command above prints
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flink_jobs.settings import ROOT
from flink_jobs.testing.cases import Case

DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"
FENCE = re.compile(r"^```(\w*)[ \t]*([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
EVERY = {
    "event_type": "trade",
    "exchange": "binance",
    "symbol": "BTC-USDT",
    "side": "buy",
    "ts_recv": "+9h",
}
"""Columns of the given trades that the pages leave out."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """The first word after the language."""
        return self.words[0] if self.words else ""

    @property
    def file(self) -> str:
        """Path of the file that the block holds, or nothing."""
        return self.name.removeprefix("file=") if self.name.startswith("file=") else ""

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.name}:{self.line}"


def pages() -> list[Path]:
    """All pages."""
    return sorted(DOCS.glob("*.md"))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match[1],
            tuple(match[2].split()),
            match[3],
        )
        for match in FENCE.finditer(text)
    ]


def links(page: Path) -> list[str]:
    """Targets of a page's links and pictures, code left out."""
    return LINK.findall(prose(page))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(prose(page)))
    return {title.strip().replace(" ", "-") for title in kept}


def cases() -> Iterator[tuple[str, Case]]:
    """Name and case of every query and every case of the pages."""
    for page in pages():
        yield from _cases_of(page)


def _cases_of(page: Path) -> Iterator[tuple[str, Case]]:
    found = blocks(page)
    rows = ""
    for place, block in enumerate(found):
        if block.name == "given":
            rows = block.text
        elif block.language == "yaml" and not block.file:
            yield block.name, Case(page, yaml.safe_load(block.text))
        elif block.language == "sql" and not block.file:
            yield block.name, Case(page, _query(block, rows, found[place + 1].text))


def _query(block: Block, rows: str, result: str) -> dict[str, Any]:
    """A query as a case of the test kit."""
    return {
        "shows": block.place,
        "query": block.text,
        "given": {"trade_events": {"every": EVERY, "rows": rows}},
        "expect": result,
    }
