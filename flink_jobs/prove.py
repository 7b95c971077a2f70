"""Stream = batch: each model as the live job wrote it, computed anew, in batch mode, by DuckDB.

- `live`: rows of the model's table against a bounded run in which nothing is late;
- `batch`: that run against the same SELECT in Flink's batch mode, where Flink plans it;
- `oracle`: that run against DuckDB over the log of the market's topics, for window models;
- `late`: pairs of row and window that were told as late, of the model and of those it reads: they
  explain `live`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from psycopg2 import sql

from flink_jobs import alerts, bounded, late, postgres, tables
from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError, SqlError
from flink_jobs.model import Model
from flink_jobs.oracle import actual, expected, log
from flink_jobs.oracle.compare import compare
from flink_jobs.tables import Span
from flink_jobs.text import aligned

CLOCK = {"processed_events": ("processed_at",), "customer_metrics": ("updated_at",)}
"""Columns that hold the time of computing."""


@dataclass(frozen=True)
class Proof:
    """What was found of one model; None: not compared."""

    model: str
    rows: int
    live: int | None
    batch: int | None
    oracle: int | None
    late: int
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs but what came late."""
        return not self.batch and not self.oracle and (self.late > 0 or not self.live)


def prove(catalog: Catalog, names: Sequence[str]) -> list[Proof]:
    """Compare models, by default all that go anywhere. JobError, SqlError.

    Of a model with rows in PostgreSQL what its job had closed at the beginning is compared, so the
    job may run on. Of others everything is: their topics must be at rest.
    """
    chosen = [catalog.model(catalog.key(name)) for name in names] or every(catalog)
    told = late_pairs(catalog)
    return [_prove(catalog, model, told) for model in chosen]


def every(catalog: Catalog) -> list[Model]:
    """All models that go anywhere."""
    models = [catalog.model(catalog.key(name)) for name in catalog.model_paths]
    return [model for model in models if model.sinks != ("none",)]


def late_pairs(catalog: Catalog) -> Counter[str]:
    """How many late pairs were told of each model."""
    topic = catalog.variables["TOPIC_PREFIX"] + late.TOPIC
    servers = catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]
    return Counter(row["model"] for row in log.values(servers, topic))


def _prove(catalog: Catalog, model: Model, told: Counter[str]) -> Proof:
    table = alerts.TOPIC if alerts.TOPIC in model.sinks else model.name
    variables = catalog.variables
    real = variables["ANALYTICS_SCHEMA"]
    with postgres.connect(variables["DATABASE"]) as cursor:
        span = Span(closed=tables.closed(cursor, real, table))
    inputs = catalog.with_inputs([catalog.key(model.name)])
    with ExitStack() as schemas:
        whole = schemas.enter_context(bounded.computed(catalog, [model]))
        try:
            batch = schemas.enter_context(bounded.computed(catalog, [model], batch=True))
            note = ""
        except (SqlError, JobError) as error:
            batch, note = "", f"no batch: {str(error).splitlines()[0][:80]}"
        with postgres.connect(variables["DATABASE"]) as cursor:
            return Proof(
                model.name,
                rows=tables.count(cursor, _pair(cursor, model, table, whole, whole), span),
                live=_differing(cursor, _pair(cursor, model, table, real, whole), span),
                batch=_differing(cursor, _pair(cursor, model, table, batch, whole), span),
                oracle=_oracle(catalog, model.name, whole, span),
                late=sum(told[one.name] for one in inputs),
                note=note,
            )


def _pair(cursor: Any, model: Model, table: str, have: str, want: str) -> tables.Pair:
    """Two schemas' tables of a model, without columns that hold the time of computing."""
    two = tables.pair(cursor, table, have, want, model.key)
    hidden = CLOCK.get(model.name, ())
    return replace(two, columns=tuple(column for column in two.columns if column[0] not in hidden))


def _differing(cursor: Any, two: tables.Pair, span: Span) -> int | None:
    """Rows that differ; without a key as often as each is there. None where one has no table."""
    if not two.columns:
        return None
    if two.key:
        return len(tables.differences(cursor, two, span))
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in two.columns)
    total = 0
    for one, other in ((two.have, two.want), (two.want, two.have)):
        cursor.execute(
            sql.SQL(
                "SELECT count(*) FROM (SELECT {0} FROM {1} EXCEPT ALL SELECT {0} FROM {2}) d"
            ).format(names, sql.Identifier(one, two.table), sql.Identifier(other, two.table))
        )
        total += int(cursor.fetchone()[0])
    return total


def _oracle(catalog: Catalog, name: str, schema: str, span: Span) -> int | None:
    """Differences to DuckDB over the log; None where DuckDB does not know the model."""
    if name not in expected.MODELS:
        return None
    variables = catalog.variables
    db = log.load(variables["KAFKA_BOOTSTRAP_SERVERS"], variables["TOPIC_PREFIX"])
    closed = expected.END_OF_TIME_MS
    if span.closed:
        closed = round(span.closed.timestamp() * 1000) - 1
    url = variables["DATABASE"].removeprefix("jdbc:")
    have = actual.postgres_rows(url, schema, name)
    return compare(name, schema, expected.MODELS[name](db, closed), have, closed).differences


def lines(proofs: Iterable[Proof]) -> list[str]:
    """A table."""
    rows = [["model", "rows", "live", "batch", "oracle", "late", ""]]
    for one in proofs:
        cells = ["-" if cell is None else str(cell) for cell in (one.live, one.batch, one.oracle)]
        rows.append([one.model, str(one.rows), *cells, str(one.late), one.note])
    return aligned(rows)
