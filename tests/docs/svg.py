"""Pictures as SVG text: rows on a time axis with windows below, and time against arrival. Pure.

Colours are of two sets, light and dark, each with its own paper, so a picture can be read on any
page. Times are seconds since some instant.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

WIDTH = 760
LEFT, RIGHT = 44, 716
LANE = 30
LETTER = 7
"""Width of a letter, about: what does not fit into its window stands behind it."""
STEPS = (5, 10, 15, 30, 60, 300, 600, 1200, 1800, 3600)
MOST_TICKS = 9
STYLE = """<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}
.paper{fill:#fff}.axis{stroke:#59636e}.grid{stroke:#d1d9e0}.soft{fill:#59636e}
.row{fill:#0969da}.window{fill:#ddf4ff;stroke:#0969da}
.lost{fill:#ffebe9;stroke:#cf222e;stroke-dasharray:4 3}.late{fill:#cf222e}
.mark{stroke:#9a6700;stroke-width:2;fill:none}.marked{fill:#9a6700}
@media(prefers-color-scheme:dark){
text{fill:#f0f6fc}
.paper{fill:#0d1117}.axis{stroke:#9198a1}.grid{stroke:#3d444d}.soft{fill:#9198a1}
.row{fill:#4493f8}.window{fill:#121d2f;stroke:#4493f8}
.lost{fill:#25171c;stroke:#f85149}.late{fill:#f85149}
.mark{stroke:#d29922}.marked{fill:#d29922}}
</style>"""

Name = Callable[[float], str]


class Dot(NamedTuple):
    """A row: its time, what stands above it, and whether it came too late."""

    at: float
    label: str
    late: bool = False


class Bar(NamedTuple):
    """A window: from, to, what came out of it, and whether a row was lost to it."""

    start: float
    end: float
    label: str
    lost: bool = False


class Step(NamedTuple):
    """A row in the order of arrival: its time, its label, the watermark that it met."""

    at: float
    label: str
    watermark: float | None


def windows(title: str, dots: Sequence[Dot], bars: Sequence[Bar], name: Name) -> str:
    """Rows on a time axis, and below it the windows that came out, each in a free lane."""
    times = [t for bar in bars for t in bar[:2]] + [dot.at for dot in dots]
    first, last = min(times), max(times)

    def x(time: float) -> float:
        return LEFT + (time - first) / (last - first) * (RIGHT - LEFT)

    placed = lanes(bars)
    top = 92
    height = top + (max(placed, default=0) + 1) * LANE + 10
    parts = [_text(LEFT, 20, title, "soft", "start")]
    for tick in ticks(first, last):
        parts.append(_line(x(tick), 66, x(tick), height - 8, "grid"))
        parts.append(_text(x(tick), 82, name(tick), "soft"))
    parts.append(_line(LEFT, 66, RIGHT, 66, "axis"))
    for dot in dots:
        kind = "late" if dot.late else "row"
        parts.append(f'<circle class="{kind}" cx="{x(dot.at):.1f}" cy="57" r="5"/>')
        parts.append(_text(x(dot.at), 45, dot.label))
    for bar, lane in zip(bars, placed, strict=True):
        y = top + lane * LANE
        kind = "lost" if bar.lost else "window"
        wide = x(bar.end) - x(bar.start)
        parts.append(
            f'<rect class="{kind}" x="{x(bar.start) + 1:.1f}" y="{y}" width="{wide - 2:.1f}" '
            f'height="{LANE - 6}" rx="3"/>'
        )
        if len(bar.label) * LETTER > wide:
            parts.append(_text(x(bar.end) + 6, y + 16, bar.label, anchor="start"))
        else:
            parts.append(_text(x(bar.start) + wide / 2, y + 16, bar.label))
    return _svg(height, title, parts)


def arrival(title: str, steps: Sequence[Step], name: Name) -> str:
    """Rows in the order of arrival against their own time, and the watermark that each met."""
    left, top, bottom = 92, 40, 280
    met = [step.watermark for step in steps if step.watermark is not None]
    times = [step.at for step in steps] + met
    first, last = min(times), max(times)
    gap = (RIGHT - left) / len(steps)

    def y(time: float) -> float:
        return bottom - 16 - (time - first) / (last - first) * (bottom - top - 32)

    parts = [_text(LEFT, 20, title, "soft", "start")]
    for tick in ticks(first, last):
        parts.append(_line(left, y(tick), RIGHT, y(tick), "grid"))
        parts.append(_text(left - 8, y(tick) + 4, name(tick), "soft", "end"))
    parts += [_line(left, top, left, bottom, "axis"), _line(left, bottom, RIGHT, bottom, "axis")]
    path = ""
    for place, step in enumerate(steps):
        begin, middle = left + place * gap, left + (place + 0.5) * gap
        if step.watermark is not None:
            path += f"{'L' if path else 'M'}{begin:.1f} {y(step.watermark):.1f}"
            path += f"L{begin + gap:.1f} {y(step.watermark):.1f}"
        late = step.watermark is not None and step.at <= step.watermark
        kind = "late" if late else "row"
        parts.append(f'<circle class="{kind}" cx="{middle:.1f}" cy="{y(step.at):.1f}" r="5"/>')
        above = y(step.at) + (20 if late else -9)
        parts.append(_text(middle, above, step.label + (", late" if late else "")))
        parts.append(_text(middle, bottom + 18, str(place + 1), "soft"))
    parts.append(f'<path class="mark" d="{path}"/>')
    if met:
        parts.append(_text(RIGHT, y(met[-1]) + 16, "watermark", "marked", "end"))
    parts.append(_text((left + RIGHT) / 2, bottom + 36, "order of arrival", "soft"))
    return _svg(bottom + 46, title, parts)


def lanes(bars: Sequence[Bar]) -> list[int]:
    """A lane for each bar, so that no two in a lane overlap; the upper ones first."""
    ends: list[float] = []
    found = []
    for bar in bars:
        lane = next((i for i, end in enumerate(ends) if end <= bar.start), len(ends))
        ends[lane:] = [bar.end, *ends[lane + 1 :]]
        found.append(lane)
    return found


def ticks(first: float, last: float) -> list[float]:
    """Round times within a range, at most a few."""
    step = next((s for s in STEPS if (last - first) / s <= MOST_TICKS), STEPS[-1])
    start = -(-first // step)
    return [n * step for n in range(int(start), int(last // step) + 1)]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    shown = f' class="{kind}"' if kind else ""
    return f'<text{shown} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" role="img">'
    )
    paper = f'<rect class="paper" width="{WIDTH}" height="{height:.0f}" rx="6"/>'
    name = f"<title>{escape(title)}</title>"
    return "\n".join([head, name, STYLE, paper, *parts, "</svg>", ""])
