"""What `flink run -py` takes: submits jobs of sql/jobs.toml, or single model files.

    flink run -d -pyclientexec PYTHON -pyexec PYTHON -py flink_jobs/run.py bars alerts
    flink run … -py flink_jobs/run.py -- --job bars --from 2026-11-22T08:00:00Z

Flink's own command line takes a bare `--job` for its `--jobmanager`, so name the jobs first, or
put `--` before the options.
Prints one JSON line for each submitted job: {"job": "bars", "id": "…"}.
"""

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from flink_jobs import postgres, settings, start, topics  # noqa: E402
from flink_jobs.catalog import Catalog  # noqa: E402
from flink_jobs.environment import Engine  # noqa: E402
from flink_jobs.errors import JobError, SqlError  # noqa: E402
from flink_jobs.render import Plan, Planner, Step, model_query  # noqa: E402


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
    if variables["START_FROM"] != "earliest":
        return catalog
    models = catalog.with_inputs(catalog.job(name).models)
    servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
    oldest = topics.head_lost(servers, catalog.topics_read(models))
    if oldest is None:
        return catalog
    first = start.after_lost_head(oldest, models, float(variables["WATERMARK_DELAY"]))
    print(f"{name}: older records are gone, the first whole window is {first}", file=sys.stderr)
    return Catalog(catalog.root, {**variables, "START_FROM": first}, catalog.config)


def submit(catalog: Catalog, name: str, debug: bool = False) -> str:
    """Make topics and tables, send the job; its id."""
    catalog = from_whole_windows(catalog, name)
    plan, engine = plan_job(catalog, name, debug)
    for made in topics.ensure(catalog.variables["KAFKA_BOOTSTRAP_SERVERS"], plan.topics):
        print(f"topic {made}", file=sys.stderr)
    if plan.tables:
        for done in postgres.ensure(catalog, plan.tables.values()):
            print(done, file=sys.stderr)
    if plan.uses_python:
        engine.add_python(python_archive())
    result = engine.run(Step(plan.statement_set))
    return str(result.get_job_client().get_job_id())


def python_archive() -> Path:
    """Our Python functions as an archive for the workers."""
    path = Path(tempfile.mkdtemp(prefix="flink-udfs-")) / "udfs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(ROOT / "flink_jobs/__init__.py", "flink_jobs/__init__.py")
        for file in sorted((ROOT / "flink_jobs/udfs").glob("*.py")):
            archive.write(file, f"flink_jobs/udfs/{file.name}")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Submit each job named; 1 if one of them is refused."""
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="job of jobs.toml, or a model file")
    parser.add_argument("--job", action="append", default=[], help="the same, as an option")
    parser.add_argument("--from", dest="start", help="earliest, latest or an ISO time")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--debug", action="store_true", help="show Java stacks")
    options = parser.parse_args(arguments)
    if not options.jobs and not options.job:
        parser.error("name a job; put `--` before options, Flink takes --job for --jobmanager")
    given = {**settings.environment(), **dict(pair.split("=", 1) for pair in options.set)}
    if options.start:
        given["START_FROM"] = options.start
    try:
        catalog = Catalog.load(settings.Settings().market_streams_sql, given)
        for name in [*options.jobs, *options.job]:
            identity = submit(catalog, name, options.debug)
            print(json.dumps({"job": name, "id": identity}), flush=True)
    except (SqlError, JobError) as error:
        print(error, file=sys.stderr)
        if options.debug:
            raise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
