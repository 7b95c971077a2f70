"""Whether a job may take the state of the one before: its tables, parallelism and optimized plan.

State belongs to operators, and Flink names those by their place in the plan. Equal plans restore;
anything else is computed anew from the topics, since state of another plan may be taken in without
a word and give wrong rows.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

SECTION = "== Optimized Execution Plan =="
SHARED = re.compile(r"\(reuse_id=\[(\d+)\]\)")
REFERENCE = re.compile(r"Reused\(reference_id=\[(\d+)\]\)")
SINK = re.compile(r"^Sink\(table=\[(?:\w+\.)*(\w+)\]")
TABLE = re.compile(r"^CREATE (?:TEMPORARY )?TABLE `?(\w+)`?", re.IGNORECASE)
PARALLELISM = "parallelism.default"
MOVABLE = re.compile(
    r"^\s*'(?:scan\.startup\.[\w.-]+|properties\.bootstrap\.servers|properties\.group\.id|url)'"
    r"\s*=\s*'[^']*',?$"
)
"""Options that say where a table is reached or first read: state holds for another value too."""


@dataclass(frozen=True)
class Statements:
    """What makes a job, as rendered."""

    settings: dict[str, str]
    steps: tuple[str, ...]
    inserts: tuple[str, ...]
    python: str = ""
    """Hash of the Python functions, where the job uses any."""

    def json(self) -> dict[str, Any]:
        """For keeping."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Statements":
        """What `json` gave."""
        return cls(
            dict(kept["settings"]),
            tuple(kept["steps"]),
            tuple(kept["inserts"]),
            str(kept["python"]),
        )

    @property
    def plain(self) -> "Statements":
        """The same without comments and what is movable."""
        return Statements(self.settings, tuple(map(_code, self.steps)), self.inserts, self.python)

    @property
    def tables(self) -> dict[str, str]:
        """Declarations by table, without comments and what is movable."""
        found = ((TABLE.match(text), text) for text in map(_code, self.steps))
        return {match.group(1): text for match, text in found if match}


def _code(sql: str) -> str:
    """A statement without whole lines of comment and movable options, its space made plain."""
    kept = [
        line
        for line in sql.splitlines()
        if not line.lstrip().startswith("--") and not MOVABLE.match(line)
    ]
    return " ".join(" ".join(kept).split())


def by_sink(explained: str) -> dict[str, str]:
    """A hash of the optimized plan of each sink table, shared parts included.

    `explained`: what EXPLAIN prints of a statement set.
    """
    _, _, plan = explained.partition(SECTION)
    shared: dict[str, str] = {}
    sinks: dict[str, str] = {}
    # A part stands before those that refer to it, or not: take what is resolved until all is.
    waiting = [block for block in plan.split("\n\n") if block.strip()]
    while waiting:
        open_ones = []
        for block in waiting:
            if any(number not in shared for number in REFERENCE.findall(block)):
                open_ones.append(block)
                continue
            text = REFERENCE.sub(lambda match: shared[match.group(1)], block.strip("\n"))
            number = SHARED.search(text.splitlines()[0])
            digest = hashlib.sha256(SHARED.sub("", text).encode()).hexdigest()[:16]
            if number:
                shared[number.group(1)] = digest
            elif sink := SINK.match(text):
                sinks[sink.group(1)] = f"{sinks.get(sink.group(1), '')}{digest}"
        if len(open_ones) == len(waiting):
            raise ValueError(f"a shared part of the plan is missing: {open_ones[0][:200]}")
        waiting = open_ones
    return sinks


def changes(
    before: Statements, after: Statements, explain: Callable[[Statements], str]
) -> list[str]:
    """Why state of `before` does not fit `after`, a line for each cause; none: it fits.

    `explain` plans statements and gives EXPLAIN's text; it is asked only where it may matter.
    """
    if before.plain == after.plain:
        return []
    found = _of_tables(before.tables, after.tables)
    if before.python != after.python:
        found.append("the Python functions have changed")
    if before.settings.get(PARALLELISM) != after.settings.get(PARALLELISM):
        old, new = before.settings.get(PARALLELISM), after.settings.get(PARALLELISM)
        found.append(f"parallelism {old} → {new}")
    old_plan, new_plan = by_sink(explain(before)), by_sink(explain(after))
    return [*_of_models(old_plan, new_plan), *found]


def _of_models(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The same for plans, told by model: all sinks of it must agree."""
    old, new = _grouped(before), _grouped(after)
    found = [f"{name}: is new" for name in new if name not in old]
    found += [f"{name}: is gone" for name in old if name not in new]
    both = [name for name in new if name in old]
    return found + [f"{name}: its plan has changed" for name in both if old[name] != new[name]]


def _grouped(plan: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Hashes of sinks by their model: a sink's name is the model's and its kind."""
    found: dict[str, dict[str, str]] = {}
    for sink, digest in plan.items():
        model = re.sub(r"_(kafka_append|kafka|postgres)$", "", sink)
        found.setdefault(re.sub(r"_late$", " (late rows)", model), {})[sink] = digest
    return found


def _of_tables(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    both = [name for name in after if name in before]
    return [f"table {name}: is declared otherwise" for name in both if before[name] != after[name]]
