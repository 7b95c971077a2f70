"""Runs a case: the unchanged SELECT on Flink, with only the sources swapped for files.

What the model emits, the late pairs told and the dead letters come out of one Flink job: each
part is a branch of one UNION ALL, so the sources are read once, as in production.
Watermarks leave the source after every row, so that late rows are late in every run.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink_jobs import alerts, late, sinks
from flink_jobs.catalog import Catalog, Definition
from flink_jobs.environment import Engine
from flink_jobs.errors import JobError
from flink_jobs.jobs import python_archive
from flink_jobs.model import Model
from flink_jobs.render import Step, definition_step, inlined, model_query, model_view
from flink_jobs.script import Source, Statement, split
from flink_jobs.testing import cluster, given, values
from flink_jobs.testing.cases import Case
from flink_jobs.testing.compare import difference
from flink_jobs.testing.lookup import LookupTables, is_lookup

OPTIONS = {
    "table.local-time-zone": "UTC",
    "parallelism.default": "1",
    "pipeline.object-reuse": "true",
    "pipeline.auto-watermark-interval": "0 ms",
    "execution.buffer-timeout.interval": "1 ms",
    "python.fn-execution.bundle.size": "1",
}
EXPECT = "expect"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Part:
    """One branch of a case's query: its columns and the SELECT that gives them."""

    name: str
    columns: tuple[str, ...]
    query: Step
    texts: tuple[str, ...]


def run_case(catalog: Catalog, case: Case, debug: bool = False) -> str:
    """Run one case; what differs, or nothing. SqlError, JobError."""
    variables = {key: str(value) for key, value in case.content.get("variables", {}).items()}
    settings = {key: str(value) for key, value in case.content.get("settings", {}).items()}
    engine = Engine({**OPTIONS, **cluster.options(), **settings}, debug)
    with tempfile.TemporaryDirectory() as folder, LookupTables(catalog) as tables:
        changed = Catalog(catalog.root, {**tables.variables, **variables}, catalog.config)
        runner = Runner(changed, case, engine, Path(folder), tables)
        runner.prepare()
        found = runner.collect()
    faults = [
        difference(name, found.get(name, []), runner.expected(name)) for name in runner.names()
    ]
    return "\n".join(fault for fault in faults if fault)


class Runner:
    """One case in one engine."""

    def __init__(
        self, catalog: Catalog, case: Case, engine: Engine, folder: Path, tables: LookupTables
    ) -> None:
        self.catalog = catalog
        self.case = case
        self.content = case.content
        self.engine = engine
        self.folder = folder
        self.tables = tables
        self.start = str(self.content.get("start", values.START))
        self.models: list[Model] = []
        if "query" in self.content:
            statement = split(Source(str(case.path), self.content["query"]))[0]
            self.query, self.used = Step(statement.text), [statement]
        else:
            self.models = catalog.with_inputs([self.content["model"]])
            self.query = model_query(self.models[-1])
            self.used = [model.statement for model in self.models]

    def names(self) -> list[str]:
        """Parts that the case says something about."""
        wanted = [name for name in (EXPECT, "late") if name in self.content]
        return wanted + list(self.content.get("dead_letters", {}))

    def expected(self, name: str) -> Rows:
        """Rows that a part must have."""
        content = self.content[name] if name in (EXPECT, "late") else None
        found = values.rows(content if content is not None else self._dead_letters(name))
        return [
            {column: values.expected_value(value, self.start) for column, value in row.items()}
            for row in found
        ]

    def _dead_letters(self, name: str) -> Any:
        return self.content.get("dead_letters", {}).get(name, [])

    def prepare(self) -> None:
        """Make sources, views and the models that are read."""
        views = [self.catalog.definitions.get(n) for n in self.content.get("dead_letters", {})]
        statements = self.used + [view.statement for view in views if view]
        names = {view.name: view for view in views if view}
        needed = {d.name: d for d in self.catalog.needed(statements)} | names
        unused = set(self.content["given"]) - set(needed)
        if unused:
            raise JobError(f"{self.case.path}: the model does not read {sorted(unused)[0]}")
        for definition in needed.values():
            self.engine.run(self._swapped(definition))
        if any(definition.kind == "FUNCTION" for definition in needed.values()):
            self.engine.add_python(python_archive())
        for model in self.models:
            if not inlined(model) and model is not self.models[-1]:
                self.engine.run(model_view(model))

    def _swapped(self, definition: Definition) -> Step:
        """A definition; a table gets the given rows instead of its connector's."""
        variables = dict(self.catalog.variables)
        statement = definition.statement
        if definition.kind != "TABLE":
            return definition_step(statement, variables)
        if is_lookup(statement):
            self.tables.fill(statement, self._given(definition.name, required=False))
            return definition_step(statement, variables)
        path = self.folder / f"{definition.name}.json"
        records = given.records(statement.text, self._given(definition.name))
        path.write_text("\n".join(map(json.dumps, records)))
        step = definition_step(_without_options(statement), variables)
        options = {"connector": "filesystem", "path": path.as_uri(), "format": "json"}
        sql = f"{given.physical(step.sql)} {sinks.with_clause(options)}"
        return Step(sql, step.source, step.line)

    def _given(self, name: str, required: bool = True) -> Rows:
        found: Mapping[str, Any] = self.content["given"]
        if required and name not in found:
            raise JobError(f"{self.case.path}: the case gives no rows for {name}")
        return [
            {column: values.given_value(column, value, self.start) for column, value in row.items()}
            for row in values.rows(found.get(name))
        ]

    def parts(self) -> list[Part]:
        """What is selected, by the names of the case."""
        found = []
        for name in self.names():
            if name == EXPECT:
                step = self._answer()
            elif name == "late":
                step = self._late()
            else:
                step = Step(f"SELECT * FROM {sinks.quote(name)}")
            columns = sinks.parse_schema(self.engine.describe(step))
            texts = tuple(map(_text, columns))
            found.append(Part(name, tuple(column.name for column in columns), step, texts))
        return found

    def _answer(self) -> Step:
        """What the sinks of the model get."""
        if not self.models or alerts.TOPIC not in self.models[-1].sinks:
            return self.query
        text = alerts.grouped(f"(\n{self.query.sql}\n)")
        return Step(text, self.query.source, self.query.line)

    def _late(self) -> Step:
        """The companion branches of the models, as the runner makes them."""
        branches = []
        for view, time_column in late.views(self.models).items():
            columns = sinks.parse_schema(
                self.engine.describe(Step(f"SELECT * FROM {sinks.quote(view)}"))
            )
            self.engine.run(Step(late.view_ddl(view, time_column)))
            branches.append(late.insert(view, self.models, {view: columns}).split("\n", 1)[1])
        if not branches:
            raise JobError(f"{self.case.path}: no window in the model, so no row can be late")
        names = ", ".join([sinks.quote(name) for name, _ in late.FIXED] + ["`row`"])
        union = "\nUNION ALL\n".join(branches)
        return Step(f"SELECT * FROM (\n{union}\n) AS told ({names})")

    def collect(self) -> dict[str, Rows]:
        """Rows of all parts, each value as text; rows taken back are gone."""
        parts = self.parts()
        branches = [
            # As JSON: PyFlink cannot collect an array that holds NULL.
            f"SELECT '{part.name}' AS part, JSON_ARRAY({', '.join(part.texts)} NULL ON NULL)\n"
            f"FROM (\n{part.query.sql}\n)"
            for part in parts
        ]
        source, line = self.query.source, self.query.line - 2
        step = Step("\nUNION ALL\n".join(branches), source, line)
        kept: Counter[tuple[str, tuple[str | None, ...]]] = Counter()
        with self.engine.run(step).collect() as rows:
            for row in rows:
                sign = -1 if str(row.get_row_kind()).startswith("-") else 1  # -U, -D
                key = (str(row[0]), tuple(json.loads(row[1])))
                kept[key] += sign
        columns = {part.name: part.columns for part in parts}
        found: dict[str, Rows] = {name: [] for name in columns}
        for (name, cells), count in kept.items():
            found[name] += [dict(zip(columns[name], cells, strict=True))] * count
        return self._latest(found)

    def _latest(self, found: dict[str, Rows]) -> dict[str, Rows]:
        """The newest row of each key instead of all, where the case asks for it."""
        if self.content.get("latest"):
            key = self.models[-1].key
            newest = {tuple(row[name] for name in key): row for row in found[EXPECT]}
            found[EXPECT] = list(newest.values())
        return found


def _text(column: sinks.Column) -> str:
    """A column as text; floating numbers at eight decimals."""
    name = sinks.quote(column.name)
    if column.type.startswith("TIMESTAMP"):
        return f"CAST(CAST({name} AS TIMESTAMP(3)) AS STRING)"
    if column.type in ("DOUBLE", "FLOAT"):
        return f"CAST(CAST({name} AS DECIMAL(38, 8)) AS STRING)"
    return f"CAST({name} AS STRING)"


def _without_options(statement: Statement) -> Statement:
    """A CREATE TABLE up to its last WITH."""
    last = max(i for i, token in enumerate(statement.tokens) if token.upper == "WITH")
    return Statement(statement.source, statement.tokens[:last])
