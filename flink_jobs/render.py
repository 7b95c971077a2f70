"""A job as plain Flink SQL: settings, tables, views, sinks, and one statement set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flink_jobs import alerts, late, lint, sinks, start
from flink_jobs.catalog import Catalog, Job, Topic
from flink_jobs.model import Model
from flink_jobs.script import Source, Statement
from flink_jobs.sinks import Column, PostgresTable

ALERTS = alerts.TOPIC
WINDOW_TIME = "window_time"


@dataclass(frozen=True)
class Step:
    """A statement to run, and the file it comes from, for messages.

    `line` is the line of the file where the statement's text starts, less the lines put before.
    """

    sql: str
    source: Source | None = None
    line: int = 0


@dataclass
class Plan:
    """Everything that makes one job run."""

    name: str
    settings: dict[str, str]
    models: list[Model] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    inserts: list[str] = field(default_factory=list)
    topics: dict[str, Topic] = field(default_factory=dict)
    tables: dict[str, PostgresTable] = field(default_factory=dict)
    uses_python: bool = False
    first: datetime | None = None
    """The first instant that is written; None: from the topics' beginning."""

    @property
    def statement_set(self) -> str:
        """All INSERTs as one statement, so that they become one Flink job."""
        body = ";\n".join(self.inserts)
        return f"EXECUTE STATEMENT SET\nBEGIN\n{body};\nEND"

    def script(self) -> str:
        """The whole job as a file for `sql-client.sh -f`."""
        lines = [f"SET '{key}' = '{sinks.escape(value)}';" for key, value in self.settings.items()]
        return "\n\n".join(
            ["\n".join(lines), *(f"{step.sql};" for step in self.steps), self.statement_set + ";\n"]
        )


Describe = Callable[[Step], str]
"""Gives the resolved schema of a query, as text."""
Run = Callable[[Step], None]
"""Runs a statement in the engine that plans the job."""


class Planner:
    """Plans one job. The engine runs each statement at once, since sinks follow from schemas.

    `only_tables`: a run that ends and is compared; all rows go to PostgreSQL, wherever the models
    send them else, and no late rows are told.
    """

    def __init__(
        self, catalog: Catalog, job: Job, run: Run, describe: Describe, only_tables: bool = False
    ) -> None:
        self.catalog = catalog
        self.job = job
        self.run = run
        self.describe = describe
        self.only_tables = only_tables
        models = catalog.with_inputs(job.models)
        # Offsets are found by event time: where nothing is late by design, none is before it.
        lateness = 0.0 if only_tables else float(catalog.variables["WATERMARK_DELAY"])
        self.start = start.start_of(catalog.variables["START_FROM"], models, lateness)
        self.variables = {
            **catalog.variables,
            **self.start.variables(),
            "JOB": job.name,
        }
        settings = {
            **job.options,
            **{key: value for model in models for key, value in model.settings.items()},
            "pipeline.name": f"{catalog.variables['TOPIC_PREFIX']}{job.name}",
            "parallelism.default": str(job.parallelism),
        }
        self.plan = Plan(job.name, settings, models, first=self.start.first)

    def make(self) -> Plan:
        """The plan; its steps have been run. SqlError for a fault in a file."""
        inputs(self.catalog, self.plan.models, self.variables, self._step, self.plan)
        wanted = set(self.job.models)
        for model in self.plan.models:
            if not inlined(model):
                self._step(model_view(model))
            columns = sinks.parse_schema(self.describe(model_query(model)))
            lint.check(model)
            sinks.check(model, columns)
            if any(name.endswith(model.name) for name in wanted):
                self._sinks(model, columns)
        if not self.only_tables:
            self._late(self.plan.models)
        return self.plan

    def _step(self, step: Step) -> None:
        self.run(step)
        self.plan.steps.append(step)

    def _sinks(self, model: Model, columns: list[Column]) -> None:
        shape = alerts.ALERT if ALERTS in model.sinks else written(columns)
        kinds = ("kafka", "postgres") if "alerts" in model.sinks else model.sinks
        if self.only_tables and "none" not in kinds:
            kinds = ("postgres",)
        for kind in kinds:
            if kind != "none":
                self._sink(model, kind, columns, shape)

    def _sink(
        self, model: Model, kind: str, columns: Sequence[Column], shape: Sequence[Column]
    ) -> None:
        """One sink table and the INSERT into it; models with alerts share theirs."""
        name = ALERTS if "alerts" in model.sinks else model.name
        table = f"{name}_{kind.replace('-', '_')}"
        # Nothing replaces a row of an append topic; one with a name of its own is a contract with
        # its readers and holds just what the model selects.
        revision = kind != "kafka-append" or model.topic is None
        if not any(step.sql.startswith(f"CREATE TABLE `{table}`") for step in self.plan.steps):
            options = self._options(model, kind, shape)
            key = () if kind == "kafka-append" else model.key
            self._step(Step(sinks.sink_ddl(table, shape, key, options, revision)))
        condition = self.start.condition(column.name for column in columns)
        text = model_query(model).sql
        origin = f"(\n{text}\n)" if inlined(model) else sinks.quote(model.name)
        if ALERTS in model.sinks:
            origin, condition = f"(\n{alerts.grouped(origin, condition)}\n)", ""
        self.plan.inserts.append(sinks.insert(table, origin, shape, condition, revision))

    def _options(self, model: Model, kind: str, shape: Sequence[Column]) -> dict[str, str]:
        variables = self.variables
        if kind == "postgres":
            table = sinks.postgres_table(model, shape, variables["ANALYTICS_SCHEMA"])
            self.plan.tables[table.name] = table
            return sinks.jdbc(variables["DATABASE"], table)
        plain = ALERTS if "alerts" in model.sinks else model.topic or f"analytics.{model.name}"
        topic = variables["TOPIC_PREFIX"] + plain
        self.plan.topics[topic] = self.catalog.topic(plain)
        servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
        if kind == "kafka":
            return sinks.upsert_kafka(servers, topic)
        exactly_once = model.delivery == "exactly-once"
        return sinks.append_kafka(servers, topic, f"{topic}-" if exactly_once else "")

    def _late(self, models: list[Model]) -> None:
        """The companion branches of all window models, one INSERT for each view they read."""
        prefix = self.variables["TOPIC_PREFIX"]
        for view, time_column in late.views(models).items():
            query = Step(f"SELECT * FROM {sinks.quote(view)}")
            columns = sinks.parse_schema(self.describe(query))
            self._step(Step(late.view_ddl(view, time_column)))
            servers = self.variables["KAFKA_BOOTSTRAP_SERVERS"]
            self._step(Step(late.sink_ddl(view, columns, servers, prefix)))
            self.plan.inserts.append(late.insert(view, models, {view: columns}))
            self.plan.topics[prefix + late.TOPIC] = self.catalog.topic(late.TOPIC)


def inputs(
    catalog: Catalog,
    models: Sequence[Model],
    variables: dict[str, str],
    step: Run,
    plan: Plan,
) -> None:
    """Run the definitions that models use, and the SET lines of none: settings are the job's."""
    for definition in catalog.needed(model.statement for model in models):
        plan.uses_python |= definition.kind == "FUNCTION"
        step(definition_step(definition.statement, variables))


def written(columns: Sequence[Column]) -> list[Column]:
    """Columns that leave: window_time is for models that read this one, not for sinks."""
    return [column for column in columns if column.name != WINDOW_TIME]


def definition_step(statement: Statement, variables: dict[str, str]) -> Step:
    """A CREATE statement of a file, with its variables filled in."""
    line, _ = statement.source.place(statement.start)
    return Step(statement.render(variables), statement.source, line)


def model_view(model: Model) -> Step:
    """The model as a view."""
    line, _ = model.statement.source.place(model.statement.start)
    sql = f"CREATE TEMPORARY VIEW {sinks.quote(model.name)} AS\n{model.statement.text}"
    return Step(sql, model.statement.source, line - 1)


def model_query(model: Model) -> Step:
    """The model's SELECT itself."""
    line, _ = model.statement.source.place(model.statement.start)
    return Step(model.statement.text, model.statement.source, line)


def inlined(model: Model) -> bool:
    """Whether the SELECT stands in the INSERTs instead of a view.

    Flink 2.2 writes `PARTITION BY (a, b)` of a SESSION into a view without its parentheses and
    then cannot read the view. Equal queries of one statement set are computed once all the same.
    """
    return any(window.kind == "SESSION" for window in model.windows)
