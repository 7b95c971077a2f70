"""The pages of docs/: links that lead somewhere, blocks that tests know, pictures that show."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from docker.local.settings import ROOT
from tests.docs import pages
from tests.docs.follow import COMMANDS

PAGES = pages.pages()
INLINE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"make ([a-z-]+)")
KNOWN = {"bash": "", "sql": "", "yaml": "", "text": ("given", "result", "output")}


def name(page: Path) -> str:
    """Name of a test."""
    return page.stem


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """Each link is to a file of the project, an anchor in it to a heading."""
    for link in pages.links(page):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.is_relative_to(ROOT), link
        assert path.exists(), link
        assert not anchor or anchor in pages.anchors(path), link


def test_the_index_names_all_pages_and_pages_all_pictures() -> None:
    """No page and no picture stands alone."""
    index = pages.DOCS / "README.md"
    linked = {(page.parent / link).resolve() for page in PAGES for link in pages.links(page)}
    assert {page for page in PAGES if page != index} <= linked
    assert set(pages.PICTURES.iterdir()) <= linked
    assert {(index.parent / link).resolve() for link in pages.links(index)} >= {*PAGES} - {index}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_say_what_they_are(page: Path) -> None:
    """A block without a language or with another name would be run by no test."""
    for block in pages.blocks(page):
        assert block.language in KNOWN, block.place
        assert block.name, f"{block.place}: say what the block is"
        if block.language == "text":
            assert block.name in KNOWN["text"], block.place


def test_queries_are_followed_by_their_result() -> None:
    """Each query says what it gives."""
    for page in PAGES:
        found = pages.blocks(page)
        for block, after in zip(found, [*found[1:], *found[:1]], strict=True):
            if block.language == "sql" and not block.file:
                assert after.name == "result", block.place


def test_every_command_is_run_by_a_test() -> None:
    """The names of all bash blocks, no more and no fewer, are those that the reader types."""
    found = [
        (page.name, block.name)
        for page in PAGES
        for block in pages.blocks(page)
        if block.language == "bash"
    ]
    typed = [(page, name) for page, names in COMMANDS.items() for name in names]
    assert sorted(found) == sorted(typed)
    story = (ROOT / "tests/integration/test_docs.py").read_text()
    first = {"names"}  # every Reader begins with them
    told = {name for _, name in typed if re.search(rf'(?:\(|reader, )"{name}"', story)}
    assert told | first == {name for _, name in typed}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_targets_named_in_passing_exist(page: Path) -> None:
    """`make …` in the text names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in INLINE.findall(pages.prose(page)):
        match = TARGET.fullmatch(code)
        assert not match or match[1] in targets, code


@pytest.mark.parametrize("path", sorted(pages.PICTURES.glob("*.svg")), ids=name)
def test_pictures_are_sound(path: Path) -> None:
    """Well-formed SVG with a title, and a size that fits its page."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert 0 < width <= 800 and 0 < height <= 600
