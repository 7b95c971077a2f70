"""Cases of models: rows given to the sources, rows expected of the model.

    model: windows/bars_1m
    variables: {WATERMARK_DELAY: "0"}
    given:
      trade_events:                 # a source; columns left out are those of `every`
        every: {event_type: trade, exchange: binance, symbol: BTC-USDT}
        rows:
          - {ts_event: 1000000, price: "1.5", size: "2"}
    expect:
      - {symbol: BTC-USDT, open: "1.5", trade_count: 1}

Only the connectors of the sources are swapped, for files; views and SELECT are the unchanged ones,
in one Flink process. An expected row names the columns that matter; rows are compared in the
order of all expected columns, numbers by value, times as `2026-03-08 02:30:00.000`. With `query:`
instead of `model:` the SELECT stands in the case.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from flink_jobs import given as given_rows
from flink_jobs import sinks
from flink_jobs.catalog import Catalog, Definition
from flink_jobs.environment import Engine
from flink_jobs.errors import JobError, SqlError
from flink_jobs.render import Step, definition_step, inlined, model_query, model_view
from flink_jobs.run import plan_job, python_archive
from flink_jobs.script import Source, Statement, split

OPTIONS = {
    "table.local-time-zone": "UTC",
    "parallelism.default": "1",
    "pipeline.object-reuse": "true",
    "python.fn-execution.bundle.size": "1",
}
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One case of a YAML file (a file may hold several documents)."""

    path: Path
    content: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What the case shows, for the report."""
        return f"{self.path.stem}: {self.content.get('shows', 'as expected')}"


def check_all(catalog: Catalog, paths: Sequence[Path], debug: bool = False) -> int:
    """Plan every job, run every case below the paths; the number of faults, each told."""
    failed = 0
    for name in catalog.jobs:
        failed += _told(f"job {name}", lambda name=name: _plan(catalog, name, debug))
    found = cases(paths)
    for case in found:
        failed += _told(case.title, lambda case=case: run_case(catalog, case, debug))
    print(f"{len(catalog.jobs)} jobs planned, {len(found)} cases run, {failed} failed")
    return failed


def cases(paths: Sequence[Path]) -> list[Case]:
    """All cases of files and folders. JobError for a path without any."""
    found = []
    for path in paths:
        files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        for file in files:
            documents = yaml.safe_load_all(file.read_text())
            found += [Case(file, document) for document in documents if document]
    if not found:
        raise JobError(f"no cases in {', '.join(map(str, paths))}")
    return found


def run_case(catalog: Catalog, case: Case, debug: bool = False) -> str:
    """Run one case; what differs, or nothing. SqlError, JobError."""
    content = case.content
    given = {key: str(value) for key, value in content.get("variables", {}).items()}
    changed = Catalog(catalog.root, {**catalog.variables, **given}, catalog.config)
    engine = Engine(OPTIONS, debug)
    with tempfile.TemporaryDirectory() as folder:
        query = _prepare(changed, case, engine, Path(folder))
        return difference(_collect(engine, query), list(content["expect"]))


def _plan(catalog: Catalog, name: str, debug: bool) -> str:
    plan, engine = plan_job(catalog, name, debug)
    engine.explain(plan.statement_set)
    return ""


def _told(title: str, run: Any) -> int:
    try:
        fault = run()
    except (SqlError, JobError) as error:
        fault = str(error)
    print(f"{'FAILED' if fault else 'ok'} {title}")
    if fault:
        print("  " + fault.replace("\n", "\n  "))
    return bool(fault)


def _prepare(catalog: Catalog, case: Case, engine: Engine, folder: Path) -> Step:
    """Make sources, views and the models that are read; the query whose rows are compared."""
    content = case.content
    if "query" in content:
        statement = split(Source(str(case.path), content["query"]))[0]
        query, used = Step(statement.text), [statement]
    else:
        models = catalog.with_inputs([content["model"]])
        query, used = model_query(models[-1]), [model.statement for model in models]
    definitions = catalog.needed(used)
    for definition in definitions:
        engine.run(_file_source(catalog, definition, content["given"], folder))
    if any(definition.kind == "FUNCTION" for definition in definitions):
        engine.add_python(python_archive())
    if "model" in content:
        for model in models[:-1]:
            if not inlined(model):
                engine.run(model_view(model))
    return query


def _file_source(
    catalog: Catalog, definition: Definition, given: Mapping[str, Any], folder: Path
) -> Step:
    """A definition; a table gets a JSON file with the given rows instead of its connector."""
    statement = definition.statement
    if definition.kind == "TABLE":
        if definition.name not in given:
            raise JobError(f"the case gives no rows for {definition.name}")
        path = folder / f"{definition.name}.json"
        rows = given_rows.rows(statement.text, _rows(given[definition.name]))
        path.write_text("\n".join(map(json.dumps, rows)))
        statement = _without_options(statement)
        variables = {**catalog.variables}
        step = definition_step(statement, variables)
        options = {"connector": "filesystem", "path": path.as_uri(), "format": "json"}
        sql = f"{given_rows.physical(step.sql)} {sinks.with_clause(options)}"
        return Step(sql, step.source, step.line)
    return definition_step(statement, dict(catalog.variables))


def _rows(given: Any) -> Rows:
    if isinstance(given, list):
        return given
    return [{**given.get("every", {}), **row} for row in given["rows"]]


def _without_options(statement: Statement) -> Statement:
    """A CREATE TABLE up to its last WITH."""
    last = max(i for i, token in enumerate(statement.tokens) if token.upper == "WITH")
    return Statement(statement.source, statement.tokens[:last])


def _collect(engine: Engine, query: Step) -> Rows:
    """Rows of a query, each value as text (a time with zone cannot be collected otherwise)."""
    columns = sinks.parse_schema(engine.describe(query))
    texts = ", ".join(
        f"CAST({column.selected.split(' AS `')[0]} AS STRING) AS {sinks.quote(column.name)}"
        if not column.selected.startswith("CAST")
        else f"CAST(CAST({sinks.quote(column.name)} AS TIMESTAMP(3)) AS STRING)"
        for column in columns
    )
    result = engine.run(
        Step(f"SELECT {texts} FROM (\n{query.sql}\n)", query.source, query.line - 1)
    )
    names = [column.name for column in columns]
    with result.collect() as rows:
        return [dict(zip(names, row, strict=True)) for row in rows]


def difference(found: Rows, expected: Rows) -> str:
    """Rows that are missing and rows that are too many, by the columns expected; or nothing."""
    columns = list(dict.fromkeys(name for row in expected for name in row))
    unknown = [name for name in columns if found and name not in found[0]]
    if unknown:
        return f"no column {unknown[0]}; there are {', '.join(found[0])}"
    want = sorted(_shown(row, columns) for row in expected)
    have = sorted(_shown(row, columns) for row in found)
    lines = [f"missing: {row}" for row in _less(want, have)]
    return "\n".join([*lines, *(f"unexpected: {row}" for row in _less(have, want))])


def _less(left: list[str], right: list[str]) -> list[str]:
    return sorted((Counter(left) - Counter(right)).elements())


def _shown(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return ", ".join(f"{name}={_value(row.get(name))}" for name in columns)


def _value(value: Any) -> str:
    """Text of a value: numbers without trailing zeros, nothing for NULL."""
    if value is None:
        return "NULL"
    try:
        return f"{Decimal(str(value)).normalize():f}"
    except InvalidOperation:
        return str(value)
