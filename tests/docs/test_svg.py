"""Drawing: pure functions from rows to SVG text."""

import re
import xml.etree.ElementTree as ElementTree

from tests.docs.svg import LEFT, RIGHT, Bar, Dot, Step, arrival, lanes, ticks, windows


def plain(time: float) -> str:
    """A time as its number."""
    return f"{time:g}"


def places(text: str, kind: str) -> list[tuple[float, float]]:
    """Left edge and width of the rectangles of a class."""
    pattern = rf'<rect class="{kind}" x="([\d.]+)" y="\d+" width="([\d.]+)"'
    return [(float(x), float(width)) for x, width in re.findall(pattern, text)]


def test_a_window_is_drawn_as_long_as_it_is() -> None:
    """Two windows of 30 and 60 out of 90 seconds take a third and two thirds of the axis."""
    text = windows("t", [Dot(0, "a")], [Bar(0, 30, "one"), Bar(30, 90, "two")], plain)
    first, second = places(text, "window")
    whole = RIGHT - LEFT
    assert abs(first[1] + 2 - whole / 3) < 0.2
    assert abs(second[1] + 2 - whole * 2 / 3) < 0.2
    assert abs(first[0] - 1 - LEFT) < 0.2


def test_windows_that_overlap_lie_below_each_other() -> None:
    """A bar takes the first lane that is free; bars that only touch share one."""
    bars = [Bar(0, 60, ""), Bar(30, 90, ""), Bar(60, 120, ""), Bar(70, 75, "")]
    assert lanes(bars) == [0, 1, 0, 2]


def test_what_was_lost_looks_other_than_what_was_not() -> None:
    """A late row and the window that missed it have classes of their own."""
    dots = [Dot(1, "a"), Dot(2, "b", late=True)]
    text = windows("t", dots, [Bar(0, 5, "x", lost=True), Bar(5, 9, "y")], plain)
    assert len(places(text, "lost")) == len(places(text, "window")) == 1
    assert text.count('class="late"') == 1


def test_a_row_under_the_watermark_is_late() -> None:
    """At the watermark is late too, above it is not; the first row meets none."""
    steps = [Step(1, "a", None), Step(5, "b", 0), Step(3, "c", 3), Step(9, "d", 3)]
    text = arrival("t", steps, plain)
    assert re.findall(r">(\w), late<", text) == ["c"]
    ElementTree.fromstring(text)


def test_labels_are_text_and_nothing_else() -> None:
    """What XML would read as a mark stays what it is."""
    text = windows("a < b & c", [Dot(0, "<x>")], [Bar(0, 1, '"&"')], plain)
    assert "a < b & c" in [each.text for each in ElementTree.fromstring(text).iter()]


def test_ticks_are_round_and_few() -> None:
    """From five seconds to an hour apart, within the range."""
    assert ticks(-30, 150) == [-30, 0, 30, 60, 90, 120, 150]
    assert len(ticks(0, 7200)) <= 10


def test_what_does_not_fit_into_its_window_stands_behind_it() -> None:
    """A label is never cut: it begins where a narrow window ends."""
    text = windows("t", [Dot(0, "a")], [Bar(0, 1, "a long label"), Bar(0, 90, "whole")], plain)
    (narrow, _) = places(text, "window")
    match = re.search(r'<text x="([\d.]+)" y="\d+\.0" text-anchor="start">a long label<', text)
    assert match and float(match[1]) > narrow[0] + narrow[1]
