"""Stream = batch: each model as the live job wrote it, computed anew, in batch mode, by DuckDB.

- `live`: rows of the model's table against a bounded run in which nothing is late;
- `batch`: that run against the same SELECT in Flink's batch mode, where Flink plans it;
- `oracle`: that run against DuckDB over the log of the market's topics, for window models;
- `late`: pairs of row and window that the live job told as late: they explain `live`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from flink_jobs import alerts, bounded, late, postgres, tables
from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError, SqlError
from flink_jobs.model import Model
from flink_jobs.oracle import actual, expected, log
from flink_jobs.tables import Span

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
    """Compare models, by default all that go anywhere. JobError, SqlError."""
    chosen = [catalog.model(bounded.key_of(catalog, name)) for name in names] or every(catalog)
    told = late_pairs(catalog)
    return [_prove(catalog, model, told[model.name]) for model in chosen]


def every(catalog: Catalog) -> list[Model]:
    """All models that go anywhere."""
    models = [catalog.model(bounded.key_of(catalog, name)) for name in catalog.model_paths]
    return [model for model in models if model.sinks != ("none",)]


def late_pairs(catalog: Catalog) -> Counter[str]:
    """How many late pairs were told of each model."""
    topic = catalog.variables["TOPIC_PREFIX"] + late.TOPIC
    servers = catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]
    return Counter(row["model"] for row in log.values(servers, topic))


def _prove(catalog: Catalog, model: Model, pairs: int) -> Proof:
    table = alerts.TOPIC if alerts.TOPIC in model.sinks else model.name
    variables = catalog.variables
    with ExitStack() as schemas:
        whole = schemas.enter_context(bounded.computed(catalog, [model]))
        try:
            batch = schemas.enter_context(bounded.computed(catalog, [model], batch=True))
            note = ""
        except (SqlError, JobError) as error:
            batch, note = "", f"no batch: {str(error).splitlines()[0][:80]}"
        with postgres.connect(variables["DATABASE"]) as cursor:
            rows = _count(cursor, whole, table)
            return Proof(
                model.name,
                rows,
                _live(cursor, model, table, variables["ANALYTICS_SCHEMA"], whole),
                _differing(cursor, model, table, batch, whole) if batch else None,
                _oracle(catalog, model.name, whole),
                pairs,
                note,
            )


def _count(cursor: Any, schema: str, table: str) -> int:
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table)))
    return int(cursor.fetchone()[0])


def _live(cursor: Any, model: Model, table: str, schema: str, whole: str) -> int | None:
    """Differences to what the live job wrote, as far as it has come; None without a table."""
    if "postgres" not in model.sinks:
        return None
    two = tables.pair(cursor, table, schema, whole, model.key)
    if not two.columns:
        return None
    two = _without_clock(two, model.name)
    return len(tables.differences(cursor, two, Span(closed=tables.closed(cursor, two))))


def _differing(cursor: Any, model: Model, table: str, have: str, want: str) -> int:
    """Rows in which two computed tables differ; without a key as often as each is there."""
    if model.key:
        two = _without_clock(tables.pair(cursor, table, have, want, model.key), model.name)
        return len(tables.differences(cursor, two, tables.EVERYTHING))
    two = _without_clock(tables.pair(cursor, table, have, want, ()), model.name)
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in two.columns)
    total = 0
    for one, other in ((have, want), (want, have)):
        cursor.execute(
            sql.SQL(
                "SELECT count(*) FROM (SELECT {0} FROM {1} EXCEPT ALL SELECT {0} FROM {2}) d"
            ).format(names, sql.Identifier(one, table), sql.Identifier(other, table))
        )
        total += int(cursor.fetchone()[0])
    return total


def _without_clock(two: tables.Pair, model: str) -> tables.Pair:
    hidden = CLOCK.get(model, ())
    columns = tuple(column for column in two.columns if column[0] not in hidden)
    return tables.Pair(two.table, two.have, two.want, two.key, columns)


def _oracle(catalog: Catalog, name: str, schema: str) -> int | None:
    """Differences to DuckDB over the log."""
    if name not in expected.MODELS:
        return None
    variables = catalog.variables
    db = log.load(variables["KAFKA_BOOTSTRAP_SERVERS"], variables["TOPIC_PREFIX"])
    want = expected.MODELS[name](db, expected.END_OF_TIME_MS)
    url = variables["DATABASE"].removeprefix("jdbc:")
    have = actual.postgres_rows(url, schema, name)
    return compare_all(want, have)


def compare_all(want: expected.Rows, have: expected.Rows) -> int:
    """Rows that are missing, too many, or differ in a column that the oracle knows."""
    different = len(want.keys() ^ have.keys())
    for key in want.keys() & have.keys():
        different += any(have[key].get(n) != value for n, value in want[key].items())
    return different


def lines(proofs: Iterable[Proof]) -> list[str]:
    """A table."""
    found = [f"{'model':<28} {'rows':>8} {'live':>6} {'batch':>6} {'oracle':>6} {'late':>6}"]
    for one in proofs:
        cells = ["-" if cell is None else str(cell) for cell in (one.live, one.batch, one.oracle)]
        text = f"{one.model:<28} {one.rows:>8} {cells[0]:>6} {cells[1]:>6} {cells[2]:>6}"
        found.append(f"{text} {one.late:>6} {one.note}".rstrip())
    return found
