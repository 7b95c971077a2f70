"""Every job of jobs.toml plans as a whole, and keeps no state without an end."""

import os

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.jobs import explain_job, plan_job
from flink_jobs.lint import unbounded
from flink_jobs.settings import ROOT, Settings

pytestmark = pytest.mark.flink
CATALOG = Catalog.load(ROOT / "sql", {})


@pytest.mark.parametrize("name", CATALOG.jobs)
def test_a_job_plans(name: str) -> None:
    """What its models say together Flink can run: a case runs each model alone."""
    os.environ.update(Settings().flink_environment())
    plan, engine = plan_job(CATALOG, name)
    assert unbounded(explain_job(plan, engine), plan.settings) == []
