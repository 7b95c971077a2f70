"""Draws docs/pictures from what Flink gives for the pages' own queries: `make pictures`.

Every window, number and watermark of a picture is out of a row that Flink gave; the rows above the
windows are those that the page gives to the query.
"""

import re
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flink_jobs.catalog import Catalog
from flink_jobs.testing import values
from flink_jobs.testing.cases import Case
from flink_jobs.testing.lookup import LookupTables
from flink_jobs.testing.plugin import catalog
from tests.docs import pages, svg

Rows = list[dict[str, Any]]
Found = Mapping[str, Rows]
INTERVAL = re.compile(r"INTERVAL '(\d+)' SECOND PRECEDING")


def answer(case: Case) -> dict[str, Rows]:
    """What Flink gives for a case, by part: expect, late."""
    from flink_jobs.environment import Engine
    from flink_jobs.testing import cluster
    from flink_jobs.testing.run import OPTIONS, Runner

    files = catalog()
    engine = Engine({**OPTIONS, **cluster.options()})
    with tempfile.TemporaryDirectory() as folder, LookupTables(files) as tables:
        variables = {**tables.variables, **case.content.get("variables", {})}
        filled = Catalog(files.root, variables, files.config)
        runner = Runner(filled, case, engine, Path(folder), tables)
        runner.prepare()
        return runner.collect()


def seconds(text: str) -> float:
    """Seconds since the epoch of a time as Flink shows it, or as a case gives it."""
    moment = values.instant(text, values.START) or datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC).timestamp()


def clock(time: float) -> str:
    """`06:00:30`."""
    return f"{datetime.fromtimestamp(time, UTC):%H:%M:%S}"


def minute(time: float) -> str:
    """`06:10`."""
    return f"{datetime.fromtimestamp(time, UTC):%H:%M}"


def given(case: Case) -> list[dict[str, Any]]:
    """The trades that a case gives."""
    return values.rows(case.content["given"]["trade_events"])


def counted(row: Mapping[str, Any]) -> str:
    """`3 trades, volume 5`."""
    trades = int(row["trades"])
    volume = values.shown(row["volume"])
    return f"{trades} trade{'' if trades == 1 else 's'}, volume {volume}"


def dots(case: Case) -> list[svg.Dot]:
    """The given trades by their time, with their sizes."""
    return [svg.Dot(seconds(row["ts_event"]), str(row["size"])) for row in given(case)]


def cut(title: str) -> Callable[[Case, Found], str]:
    """A picture of windows with window_start and window_end."""

    def draw(case: Case, found: Found) -> str:
        rows = sorted(found["expect"], key=lambda r: (r["window_start"], r["window_end"]))
        bars = [
            svg.Bar(seconds(row["window_start"]), seconds(row["window_end"]), counted(row))
            for row in rows
        ]
        return svg.windows(title, dots(case), bars, clock)

    return draw


def rolling(case: Case, found: Found) -> str:
    """Each row looks back: a bar that ends at the row's own time."""
    match = INTERVAL.search(case.content["query"])
    assert match, "the query looks back by seconds"
    bars = []
    for row in sorted(found["expect"], key=lambda r: str(r["event_time"])):
        end = seconds(row["event_time"])
        bars.append(svg.Bar(end - int(match[1]), end, counted(row)))
    return svg.windows("OVER: every trade looks 30 seconds back", dots(case), bars, clock)


def watermark(case: Case, found: Found) -> str:
    """Each row in the order of arrival, and the watermark that it met."""
    by_id = {row["trade_id"]: row for row in found["expect"]}
    steps = []
    for row in given(case):
        met = by_id[row["trade_id"]]
        mark = seconds(met["passed"]) if met["passed"] else None
        steps.append(svg.Step(seconds(met["event_time"]), row["trade_id"], mark))
    return svg.arrival("When trades happened, and when they came", steps, clock)


def late(case: Case, found: Found) -> str:
    """Windows of an hour, and what was told of a row that came too late for one of them."""
    told = {(row["window_start"], row["window_end"]) for row in found["late"]}
    lost = [row["row"] for row in found["late"]]
    bars = []
    for row in sorted(found["expect"], key=lambda r: str(r["window_start"])):
        window = (row["window_start"], row["window_end"])
        trades = f"{row['trade_count']} of {len(given(case))} trades"
        label = trades + (", one came too late" if window in told else "")
        bars.append(svg.Bar(seconds(window[0]), seconds(window[1]), label, window in told))
    shown = []
    for row in given(case):
        missed = any(str(row["trade_id"]) in str(text) for text in lost)
        label = row["trade_id"]
        shown.append(svg.Dot(seconds(row["ts_event"]), label, missed))
    return svg.windows("A trade may be late for some of its windows only", shown, bars, minute)


DRAWINGS: dict[str, Callable[[Case, Found], str]] = {
    "tumble": cut("TUMBLE: every 30 seconds, 30 seconds long"),
    "hop": cut("HOP: every 30 seconds, 60 seconds long"),
    "cumulate": cut("CUMULATE: up to 60 seconds, told every 15 seconds"),
    "session": cut("SESSION: until nothing happens for 30 seconds"),
    "rolling": rolling,
    "watermark": watermark,
    "late": late,
}
"""What draws each picture; the name is that of the block on a page."""


def main() -> None:
    """Draw all pictures anew."""
    for name, case in pages.cases():
        if name in DRAWINGS:
            path = pages.PICTURES / f"{name}.svg"
            path.write_text(DRAWINGS[name](case, answer(case)), encoding="utf-8")
            print(path)


if __name__ == "__main__":
    main()
