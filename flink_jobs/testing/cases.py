"""Cases of models, as YAML documents.

    shows: open and close follow event time, whatever the order of arrival
    model: windows/bars_1m            # or `query:` with a SELECT of its own
    covers: [out-of-order, tie]       # of COVERS; what cannot be: `does_not_apply: {late: why}`
    variables: {WATERMARK_DELAY: "0"} # values of ${VARIABLES}
    settings: {table.exec.state.ttl: 1 h}   # Flink options
    start: 2026-02-25 06:00:00        # what relative times such as +1m30s count from
    given:                            # rows of each source; columns left out are those of `every`
      trade_events:
        every: {event_type: trade, exchange: binance, symbol: BTC-USDT, size: "1"}
        rows: |
          ts_event | trade_seq | price
          +1.5s    | 11        | 101.5
    expect:                           # rows of the model; the columns that matter, in no order
      - {symbol: BTC-USDT, window_start: +0s, open: 101.5}
    late: []                          # (row, window) pairs that market.late-events is told
    dead_letters: {rejected_orders: []}     # rows of the views named

`latest: true` compares the newest row of each key, as upsert sinks hold it, not every row that
left the model. Relative times become µs in columns named `ts_…`, ISO 8601 text in others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flink_jobs.catalog import guess
from flink_jobs.errors import JobError

FIELDS = (
    *("shows", "model", "query", "covers", "does_not_apply", "variables", "settings", "start"),
    *("given", "expect", "late", "dead_letters", "latest"),
)
COVERS = ("out-of-order", "late", "null", "tie")
"""What the cases of every model show, or say why it does not apply."""


@dataclass(frozen=True)
class Case:
    """One case of a YAML file (a file may hold several documents)."""

    path: Path
    content: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What the case shows, for the report."""
        return f"{self.path.stem}: {self.content.get('shows', 'as expected')}"


def load(path: Path) -> list[Case]:
    """Cases of a file. JobError for a field that no case has, or one that lacks."""
    try:
        documents = list(yaml.safe_load_all(path.read_text()))
    except yaml.YAMLError as error:
        raise JobError(f"{path}: {error}") from None
    found = [Case(path, document) for document in documents if document]
    for case in found:
        _check(case)
    return found


def _check(case: Case) -> None:
    content = case.content
    for name in content:
        if name not in FIELDS:
            raise JobError(f"{case.path}: unknown field {name}{guess(name, FIELDS)}")
    if ("model" in content) == ("query" in content):
        raise JobError(f"{case.path}: a case has either `model` or `query`")
    if "given" not in content or not {"expect", "late", "dead_letters"} & set(content):
        raise JobError(f"{case.path}: {case.title} needs `given` and `expect`")
    for tag in [*content.get("covers", []), *content.get("does_not_apply", {})]:
        if tag not in COVERS:
            raise JobError(f"{case.path}: unknown tag {tag}; known: {', '.join(COVERS)}")


def cases(paths: Sequence[Path]) -> list[Case]:
    """All cases of files and folders. JobError for a path without any."""
    found = []
    for path in paths:
        for file in sorted(path.rglob("*.yaml")) if path.is_dir() else [path]:
            found += load(file)
    if not found:
        raise JobError(f"no cases in {', '.join(map(str, paths))}")
    return found
