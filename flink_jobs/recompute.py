"""Corrections: windows of a range computed again from the topics, late rows taken in.

The unchanged SELECT runs over the topics from (range - longest window) to their end; rows of the
range that differ are corrected, then those of the models that read this one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from flink_jobs import alerts, bounded, corrections, postgres, start, tables, topics
from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError
from flink_jobs.model import Model
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
    models = [catalog.model(bounded.key_of(catalog, name)), *readers(catalog, name)]
    told = [model for model in models if "postgres" in model.sinks]
    if not told or told[0].name != models[0].name:
        raise JobError(
            f"{name} has no table in PostgreSQL to correct\n"
            "  to do: name a model with `Sinks: … postgres`"
        )
    whole = _whole_from(catalog, told)
    if whole and first < whole:
        raise JobError(
            f"older records are gone from the topics: nothing before {whole.isoformat()} is whole\n"
            "  to do: choose a later --from"
        )
    spans = {model.name: _span(model, first, last, whole) for model in told}
    # Windows of readers that hold the range's first instant begin before it.
    spans[told[0].name] = Span(whole) if _reaches_far(told[0]) else Span(first, last)
    firsts = [span.first for span in spans.values() if span.last]
    far = any(map(_reaches_far, told))
    begin = "earliest" if far else min(each for each in firsts if each).isoformat()
    with bounded.computed(catalog, told, begin) as schema:
        found = [_correct(catalog, one, schema, spans[one.name], dry) for one in told]
    if found[0] is None:
        raise JobError(f"no table {name} yet\n  to do: submit the model's job first")
    return [one for one in found if one]


def _span(model: Model, first: datetime, last: datetime, whole: datetime | None) -> Span:
    """Rows of a model that a change of its input between two times may change."""
    if _reaches_far(model):
        return Span(whole)
    return Span(first - timedelta(seconds=model.lookback), last)


def _whole_from(catalog: Catalog, models: list[Model]) -> datetime | None:
    """The first instant that the topics hold with all it needs, if they have lost their head."""
    servers = catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]
    oldest = topics.head_lost(servers, catalog.topics_read(models))
    if oldest is None:
        return None
    lateness = float(catalog.variables["WATERMARK_DELAY"])
    return datetime.fromisoformat(start.after_lost_head(oldest, models, lateness))


def readers(catalog: Catalog, name: str) -> list[Model]:
    """Models that read a model, directly or not. Alerts are left out: they were told to people."""
    found = []
    for path in catalog.model_paths.values():
        model = catalog.model(bounded.key_of(catalog, path.stem))
        inputs = [one.name for one in catalog.with_inputs([bounded.key_of(catalog, path.stem)])]
        if model.name != name and name in inputs and alerts.TOPIC not in model.sinks:
            found.append(model)
    return found


def _reaches_far(model: Model) -> bool:
    """Whether a row may depend on any row before it: sessions, and frames of a number of rows.

    These are computed from the beginning of the topics, and corrected over all that they hold.
    """
    words = [token.upper for token in model.statement.code()]
    rows = ("ROWS", "BETWEEN") in pairwise(words)
    return rows or any(window.kind == "SESSION" for window in model.windows)


def _correct(
    catalog: Catalog, model: Model, schema: str, span: Span, dry: bool
) -> Corrected | None:
    """What was corrected of one model; None where its job never ran."""
    variables = catalog.variables
    with postgres.connect(variables["DATABASE"]) as cursor:
        two = tables.pair(cursor, model.name, variables["ANALYTICS_SCHEMA"], schema, model.key)
        if not two.columns:
            return None
        if two.range_column is None:
            raise JobError(
                f"{model.name} has no window_start and no event_time: its rows lie in no range\n"
                "  to do: submit its job anew from the beginning"
            )
        span = span._replace(closed=tables.closed(cursor, two))
        found = tables.differences(cursor, two, span)
        rows = tables.count(cursor, two, span)
        if found and not dry:
            topic = variables["TOPIC_PREFIX"] + (model.topic or f"analytics.{model.name}")
            there = topic if "kafka" in model.sinks else None
            servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
            if there:
                topics.ensure(servers, {there: catalog.topic(f"analytics.{model.name}")})
            corrections.correct(cursor, two, span, servers, there)
    kinds = [what for what, _, _ in found]
    return Corrected(
        model.name,
        rows,
        tuple(tables.shown(two, found)),
        *(kinds.count(kind) for kind in ("changed", "missing", "unexpected")),
    )
