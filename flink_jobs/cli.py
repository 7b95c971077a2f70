"""Command line: `python -m flink_jobs list|render|explain|submit|cancel|status|check|sources`."""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flink_jobs import settings
from flink_jobs.catalog import Catalog
from flink_jobs.cluster import Cluster
from flink_jobs.errors import JobError, SqlError
from flink_jobs.render import definition_step
from flink_jobs.settings import ROOT, Settings
from flink_jobs.start import EARLIEST
from flink_jobs.submit import submit

Options = argparse.Namespace


def catalog_of(options: Options) -> Catalog:
    """The folder of SQL files, with variables from the environment and the command line."""
    given = {**settings.environment(), **dict(pair.split("=", 1) for pair in options.set)}
    if getattr(options, "start", None):
        given["START_FROM"] = options.start
    return Catalog.load(Settings().market_streams_sql, given)


def list_jobs(options: Options) -> None:
    """Jobs, their models and the question of each."""
    catalog = catalog_of(options)
    for job in catalog.jobs.values():
        print(f"{job.name} (parallelism {job.parallelism})")
        for name in job.models:
            print(f"  {name}: {catalog.model(name).question}")


def render(options: Options) -> None:
    """The plain Flink SQL of a job."""
    from flink_jobs.run import plan_job

    plan, _ = plan_job(catalog_of(options), options.job, options.debug)
    print(plan.script())


def explain(options: Options) -> None:
    """The optimized plan of a job."""
    from flink_jobs.run import plan_job

    plan, engine = plan_job(catalog_of(options), options.job, options.debug)
    print(engine.explain(plan.statement_set))


def sources(options: Options) -> None:
    """The DDL of all tables and views, for the SQL client."""
    catalog = catalog_of(options)
    variables = {**catalog.variables, **EARLIEST.variables(), "JOB": "sql-client"}
    print(
        "SET 'table.local-time-zone' = 'UTC';\nSET 'sql-client.execution.result-mode' = 'tableau';"
    )
    for definition in catalog.definitions.values():
        if definition.kind != "FUNCTION":
            print(f"{definition_step(definition.statement, variables).sql};\n")


def submit_jobs(options: Options) -> None:
    """Submit jobs; none that runs already."""
    cluster = Cluster(Settings().flink_rest_url)
    prefix = catalog_of(options).variables["TOPIC_PREFIX"]
    for name in options.jobs:
        if cluster.running(prefix + name):
            raise JobError(
                f"{name} runs already\n  to do: `python -m flink_jobs cancel {name}` first"
            )
    arguments = [part for name in options.jobs for part in ("--job", name)]
    arguments += [part for pair in options.set for part in ("--set", pair)]
    arguments += ["--from", options.start] if options.start else []
    arguments += ["--debug"] if options.debug else []
    for name, identity in submit(Settings(), arguments).items():
        print(f"{name} RUNNING {identity}")


def cancel(options: Options) -> None:
    """Cancel running jobs by name or id."""
    cluster = Cluster(Settings().flink_rest_url)
    prefix = catalog_of(options).variables["TOPIC_PREFIX"]
    for name in options.jobs:
        found = cluster.running(prefix + name) or cluster.running(name)
        if not found:
            raise JobError(f"no running job {name}\n  to do: `python -m flink_jobs status` lists")
        for identity in found:
            cluster.cancel(identity)
            print(f"{name} CANCELED {identity}")


def status(options: Options) -> None:
    """All jobs that the cluster knows."""
    for job in Cluster(Settings().flink_rest_url).jobs():
        began = datetime.fromtimestamp(job["start-time"] / 1000, UTC)
        print(f"{job['state']:<10} {job['name']:<24} {began:%Y-%m-%d %H:%M:%S}Z {job['jid']}")


def check(options: Options) -> None:
    """Plan every job, then run the cases of the models."""
    from flink_jobs.check import check_all

    failed = check_all(catalog_of(options), [Path(path) for path in options.cases], options.debug)
    if failed:
        raise JobError(f"{failed} failed")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 where something is wrong, told in words."""
    options = _parser().parse_args(arguments)
    command: Callable[[Options], None] = options.command
    os.environ.update(Settings().flink_environment())
    try:
        command(options)
    except (SqlError, JobError) as error:
        print(error, file=sys.stderr)
        if options.debug:
            raise
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flink_jobs", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    common.add_argument("--debug", action="store_true", help="show full stacks")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Callable[[Options], None]) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=function.__doc__, parents=[common])
        one.set_defaults(command=function)
        return one

    add("list", list_jobs)
    add("sources", sources)
    add("status", status)
    for name, function in (("render", render), ("explain", explain)):
        one = add(name, function)
        one.add_argument("job", help="job of jobs.toml, or a model file")
        one.add_argument("--from", dest="start", help="earliest, latest or an ISO time")
    starting = add("submit", submit_jobs)
    starting.add_argument("jobs", nargs="+", metavar="JOB")
    starting.add_argument("--from", dest="start", help="earliest, latest or an ISO time")
    add("cancel", cancel).add_argument("jobs", nargs="+", metavar="JOB")
    cases = add("check", check)
    cases.add_argument("cases", nargs="*", default=[str(ROOT / "tests/sql")], metavar="CASES")
    return parser
