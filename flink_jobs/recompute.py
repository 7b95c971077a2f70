"""Corrections: windows of a range computed again from the topics, late rows taken in.

The unchanged SELECT runs over the topics from (range - longest window) to their end; rows of the
range that differ are corrected, then those of the models that read this one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flink_jobs import alerts, bounded, corrections, postgres, tables, topics
from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError
from flink_jobs.model import Model
from flink_jobs.start import after_lost_head
from flink_jobs.tables import Span


@dataclass(frozen=True)
class Corrected:
    """What was corrected of one model."""

    model: str
    rows: int
    """Rows of the range as they are now."""
    differences: tuple[str, ...]
    changed: int
    missing: int
    unexpected: int

    def __str__(self) -> str:
        counts = f"{self.changed} changed, {self.missing} added, {self.unexpected} taken back"
        return f"{self.model}: {self.rows} rows, {counts}"


def recompute(
    catalog: Catalog, name: str, first: datetime, last: datetime, dry: bool = False
) -> list[Corrected]:
    """Correct a model and those that read it; `dry` only tells. JobError, SqlError."""
    if first >= last:
        raise JobError(f"the range ends at {last}, before it begins at {first}")
    models = [catalog.model(catalog.key(name)), *readers(catalog, name)]
    closed = _closed(catalog, models)
    models = [model for model in models if model.name in closed]
    if name not in closed:
        raise JobError(
            f"no table {name} in PostgreSQL whose rows lie in time\n"
            "  to do: submit its job first; running totals lie in no range: submit their job anew"
        )
    whole = _whole_from(catalog, models)
    if whole and first < whole:
        raise JobError(
            f"older records are gone from the topics: nothing before {whole.isoformat()} is whole\n"
            "  to do: choose a later --from"
        )
    far = [model for model in models if bounded.reaches_far(catalog, model)]
    near = [model for model in models if model not in far]
    # Windows of readers that hold the range's first instant begin before it.
    begins = {one.name: first - timedelta(seconds=one.lookback) for one in near} | {name: first}
    spans = {one.name: Span(begins[one.name], last, closed[one.name]) for one in near}
    spans |= {one.name: Span(whole, None, closed[one.name]) for one in far}
    # Two runs: the whole log, which a few models need, is not read for the others.
    runs = [(near, min(begins.values()).isoformat()), (far, "earliest")]
    found: list[Corrected] = []
    for chosen, start in runs:
        if chosen:
            with bounded.computed(catalog, chosen, start) as schema:
                found += [_correct(catalog, one, schema, spans[one.name], dry) for one in chosen]
    return found


def _closed(catalog: Catalog, models: list[Model]) -> dict[str, datetime]:
    """How far each model's job has come before anything is read; models without rows left out."""
    schema = catalog.variables["ANALYTICS_SCHEMA"]
    names = [model.name for model in models if "postgres" in model.sinks]
    with postgres.connect(catalog.variables["DATABASE"]) as cursor:
        ends = {name: tables.closed(cursor, schema, name) for name in names}
    return {name: end for name, end in ends.items() if end is not None}


def _whole_from(catalog: Catalog, models: list[Model]) -> datetime | None:
    """The first instant that the topics hold with all it needs, if they have lost their head."""
    servers = catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]
    oldest = topics.head_lost(servers, catalog.topics_read(models))
    if oldest is None:
        return None
    lateness = float(catalog.variables["WATERMARK_DELAY"])
    return datetime.fromisoformat(after_lost_head(oldest, models, lateness))


def readers(catalog: Catalog, name: str) -> list[Model]:
    """Models that read a model, directly or not. Alerts are left out: they were told to people."""
    found = []
    for other in catalog.model_paths:
        model = catalog.model(catalog.key(other))
        inputs = [one.name for one in catalog.with_inputs([catalog.key(other)])]
        if other != name and name in inputs and alerts.TOPIC not in model.sinks:
            found.append(model)
    return found


def _correct(catalog: Catalog, model: Model, schema: str, span: Span, dry: bool) -> Corrected:
    variables = catalog.variables
    with postgres.connect(variables["DATABASE"]) as cursor:
        two = tables.pair(cursor, model.name, variables["ANALYTICS_SCHEMA"], schema, model.key)
        found = tables.differences(cursor, two, span)
        rows = tables.count(cursor, two, span)
        if found and not dry:
            servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
            corrections.correct(cursor, two, span, servers, _topic(catalog, model))
    kinds = [what for what, _, _ in found]
    return Corrected(
        model.name,
        rows,
        tuple(tables.shown(two, found)),
        *(kinds.count(kind) for kind in ("changed", "missing", "unexpected")),
    )


def _topic(catalog: Catalog, model: Model) -> str | None:
    """The topic that holds the model's rows too, made where it is missing; None: none does."""
    if "kafka" not in model.sinks:
        return None
    plain = model.topic or f"analytics.{model.name}"
    topic = catalog.variables["TOPIC_PREFIX"] + plain
    topics.ensure(catalog.variables["KAFKA_BOOTSTRAP_SERVERS"], {topic: catalog.topic(plain)})
    return topic
