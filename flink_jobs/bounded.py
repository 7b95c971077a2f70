"""Models over all that the topics hold, as a job that ends, into a throw-away schema.

The SELECTs are unchanged. The watermark stays behind every record until the topics' end, so no
row is late. What is looked up (rules, profiles) is copied from the real schema first.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from flink_jobs import postgres
from flink_jobs.catalog import Catalog, Job
from flink_jobs.environment import Engine, java_text, root_cause
from flink_jobs.errors import JobError
from flink_jobs.jobs import python_archive
from flink_jobs.model import Model
from flink_jobs.render import Plan, Planner, Step
from flink_jobs.settings import Settings

NOTHING_LATE = str(100 * 365 * 86400)
"""Seconds of a watermark's delay that no topic spans."""
LOOKED_UP = ("alert_rules", "user_profiles")
"""Tables of the schema that models look up."""


def job_of(catalog: Catalog, models: Sequence[Model]) -> Job:
    """One job of these models, with the options of the job that the first of them is in."""
    keys = [catalog.key(model.name) for model in models]
    general = dict(catalog.config.get("options", {}))
    own = (job.options for job in catalog.jobs.values() if keys[0] in job.models)
    options = next(own, general)
    return Job(f"bounded-{models[0].name}", tuple(keys), 1, options)


def reaches_far(catalog: Catalog, model: Model) -> bool:
    """Whether a row may depend on any row before it, by itself or by what the model reads.

    Such a model is computed from the beginning of the topics.
    """
    return any(one.reaches_far for one in catalog.with_inputs([catalog.key(model.name)]))


@contextmanager
def computed(
    catalog: Catalog,
    models: Sequence[Model],
    start: str = "earliest",
    batch: bool = False,
    prepare: Callable[[Catalog], None] | None = None,
) -> Iterator[str]:
    """Run models to the end of their topics; gives the schema that holds their rows.

    `start`: rows wanted, from this ISO time on. `prepare` may change the schema's rules before.
    JobError, SqlError. The schema is dropped at the end.
    """
    schema = f"computed_{secrets.token_hex(6)}"
    changed = {
        "ANALYTICS_SCHEMA": schema,
        "BOUNDED": "latest-offset",
        "START_FROM": start,
        "WATERMARK_DELAY": NOTHING_LATE,
    }
    ours = Catalog(catalog.root, {**catalog.variables, **changed}, catalog.config)
    try:
        postgres.ensure(ours, [])
        _copy_looked_up(catalog.variables["ANALYTICS_SCHEMA"], ours)
        if prepare:
            prepare(ours)
        run(*planned(ours, job_of(ours, models), batch))
        yield schema
    finally:
        with postgres.connect(catalog.variables["DATABASE"]) as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def planned(catalog: Catalog, job: Job, batch: bool = False) -> tuple[Plan, Engine]:
    """The plan of a bounded run, its tables made."""
    address = urlsplit(Settings().flink_rest_url)
    target = {
        "execution.target": "remote",
        "rest.address": str(address.hostname),
        "rest.port": str(address.port),
        # A bounded run that fails is told, not begun anew: its rows would be there twice.
        "restart-strategy.type": "none",
    }
    engine = Engine({**job.options, **target}, batch=batch)
    planner = Planner(catalog, job, engine.run, engine.describe, only_tables=True)
    engine.configure({**planner.plan.settings, **target})
    plan = planner.make()
    postgres.ensure(catalog, plan.tables.values())
    if plan.uses_python:
        engine.add_python(python_archive())
    return plan, engine


def run(plan: Plan, engine: Engine) -> None:
    """Submit a plan and wait for its end; Ctrl-C cancels the job. JobError if it fails."""
    result: Any = engine.run(Step(plan.statement_set))
    try:
        result.wait()
    except KeyboardInterrupt:
        result.get_job_client().cancel()
        raise
    except Exception as error:
        raise JobError(f"job {plan.name} failed: {root_cause(java_text(error))}") from None


def _copy_looked_up(schema: str, ours: Catalog) -> None:
    """The rules and profiles of now."""
    with postgres.connect(ours.variables["DATABASE"]) as cursor:
        for table in LOOKED_UP:
            cursor.execute("SELECT to_regclass(%s)", (f"{schema}.{table}",))
            if cursor.fetchone()[0] is None:
                continue
            cursor.execute(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = %s AND is_generated = 'NEVER'",
                (schema, table),
            )
            (columns,) = cursor.fetchone()
            target = f"{ours.variables['ANALYTICS_SCHEMA']}.{table}"
            cursor.execute(f"DELETE FROM {target}")
            cursor.execute(
                f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {schema}.{table}"
            )
