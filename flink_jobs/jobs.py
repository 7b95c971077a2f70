"""A job planned in an engine of its own, and what its workers need of our Python code."""

import hashlib
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from flink_jobs import start, topics
from flink_jobs.catalog import Catalog
from flink_jobs.environment import Engine
from flink_jobs.errors import SqlError
from flink_jobs.plans import Statements
from flink_jobs.render import Plan, Planner, Step, model_query
from flink_jobs.settings import ROOT


def plan_job(catalog: Catalog, name: str, debug: bool = False) -> tuple[Plan, Engine]:
    """Plan a job in an engine of its own. SqlError, JobError."""
    job = catalog.job(name)
    engine = Engine(job.options, debug)
    planner = Planner(catalog, job, engine.run, engine.describe)
    engine.configure(planner.plan.settings)
    return planner.make(), engine


def explain_job(plan: Plan, engine: Engine) -> str:
    """Optimized plan of a job. What Flink refuses without a place is asked of each model."""
    try:
        return engine.explain(plan.statement_set)
    except SqlError:
        for model in plan.models:
            engine.explain_query(model_query(model))
        raise


def from_whole_windows(catalog: Catalog, name: str) -> Catalog:
    """The catalog, with a later start if the topics to read have lost their oldest records."""
    variables = catalog.variables
    if variables["START_FROM"] == "latest":
        return catalog
    models = catalog.with_inputs(catalog.job(name).models)
    servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
    oldest = topics.head_lost(servers, catalog.topics_read(models))
    if oldest is None:
        return catalog
    first = start.after_lost_head(oldest, models, float(variables["WATERMARK_DELAY"]))
    asked = variables["START_FROM"]
    if asked != "earliest" and start.moment(asked) >= start.moment(first):
        return catalog
    print(f"{name}: older records are gone, the first whole window is {first}", file=sys.stderr)
    return Catalog(catalog.root, {**variables, "START_FROM": first}, catalog.config)


def statements(plan: Plan) -> Statements:
    """What makes a planned job."""
    steps = tuple(step.sql for step in plan.steps)
    python = _python_hash() if plan.uses_python else ""
    return Statements(plan.settings, steps, tuple(plan.inserts), python)


def explain_statements(kept: Statements) -> str:
    """Optimized plan of statements of an earlier day. SqlError where Flink refuses them by now."""
    engine = Engine(kept.settings)
    for step in kept.steps:
        engine.run(Step(step))
    return engine.explain(Plan("", {}, inserts=list(kept.inserts)).statement_set)


def _python_files() -> Iterator[Path]:
    yield ROOT / "flink_jobs/__init__.py"
    yield from sorted((ROOT / "flink_jobs/udfs").glob("*.py"))


def _python_hash() -> str:
    texts = b"".join(file.read_bytes() for file in _python_files())
    return hashlib.sha256(texts).hexdigest()


def python_archive() -> Path:
    """Our Python functions as an archive for the workers."""
    path = Path(tempfile.mkdtemp(prefix="flink-udfs-")) / "udfs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in _python_files():
            archive.write(file, str(file.relative_to(ROOT)))
    return path
