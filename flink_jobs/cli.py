"""Command line: `python -m flink_jobs COMMAND`; `--help` lists the commands."""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flink_jobs import checkpoints, rules, settings
from flink_jobs.catalog import Catalog
from flink_jobs.cluster import Cluster
from flink_jobs.errors import JobError, SqlError
from flink_jobs.lint import unbounded
from flink_jobs.render import definition_step
from flink_jobs.settings import ROOT, Settings
from flink_jobs.start import EARLIEST, moment
from flink_jobs.submissions import Submission, Submissions
from flink_jobs.submit import told

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
    from flink_jobs.jobs import plan_job

    plan, _ = plan_job(catalog_of(options), options.job, options.debug)
    print(plan.script())


def explain(options: Options) -> None:
    """The optimized plan of a job."""
    from flink_jobs.jobs import explain_job, plan_job

    plan, engine = plan_job(catalog_of(options), options.job, options.debug)
    text = explain_job(plan, engine)
    print("\n".join([text, *(f"warning: {each}" for each in unbounded(text, plan.settings))]))


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
    """Submit jobs, or take up edits of running ones: on with their state, or computed anew."""
    if options.dry_run:
        _tell(options, [(catalog_of(options), name) for name in options.jobs], options.start)
        return
    arguments = [part for name in options.jobs for part in ("--job", name)]
    arguments += ["--from", options.start] if options.start else []
    _submit(options, arguments)


def _submit(options: Options, arguments: list[str]) -> None:
    """Call `flink run` and tell what became of each job."""
    arguments = arguments + [part for pair in options.set for part in ("--set", pair)]
    arguments += ["--debug"] if options.debug else []
    for done in told(Settings(), arguments):
        print(f"{done['job']} RUNNING {done['id']}\n  {done['how']}")


def _tell(options: Options, jobs: list[tuple[Catalog, str]], start: str | None = None) -> None:
    """What submitting would do."""
    from flink_jobs.lifecycle import prepared

    for catalog, name in jobs:
        print(f"{name} {prepared(catalog, name, start, options.debug).told()}")


def stop(options: Options) -> None:
    """Stop jobs with a savepoint; `submit` goes on from it."""
    _stop(options, options.jobs, wanted=False)


def suspend(options: Options) -> None:
    """Stop all jobs with savepoints, before the cluster stops; `resume` starts them again."""
    _stop(options, None, wanted=True)


def _stop(options: Options, names: list[str] | None, wanted: bool) -> None:
    cluster, catalog = Cluster(Settings().flink_rest_url), catalog_of(options)
    submissions = Submissions(catalog.variables)
    prefix = catalog.variables["TOPIC_PREFIX"]
    if names is None:
        chosen = [one for one in submissions.wanted() if cluster.running(one.job_name)]
    else:
        chosen = [_running(submissions, cluster, prefix + name) for name in names]
    for one in chosen:
        print(f"{one.job_name} STOPPED {checkpoints.stop(cluster, submissions, one, wanted)}")


def _running(submissions: Submissions, cluster: Cluster, job_name: str) -> Submission:
    one = submissions.newest(job_name)
    if one is None or not cluster.running(job_name):
        raise JobError(f"no running job {job_name}\n  to do: `python -m flink_jobs status` lists")
    return one


def resume(options: Options) -> None:
    """Start again each job that is to run and does not, from its newest savepoint or checkpoint."""
    cluster = Cluster(Settings().flink_rest_url)
    wanted = Submissions(catalog_of(options).variables).wanted()
    missing = [one for one in wanted if not cluster.running(one.job_name)]
    if missing:
        numbers = [part for one in missing for part in ("--version", str(one.submission_id))]
        _submit(options, numbers)
    else:
        print(f"nothing to resume: {len(wanted)} jobs wanted, all run")


def rollback(options: Options) -> None:
    """Go back to the version of a job before its last edit; the files in sql/ stay as they are."""
    catalog = catalog_of(options)
    listed = Submissions(catalog.variables).of(catalog.variables["TOPIC_PREFIX"] + options.job)
    older = [one for one in listed if one.statements.plain != listed[0].statements.plain]
    if not older:
        raise JobError(
            f"no other version of {options.job} was ever submitted\n"
            "  to do: `python -m flink_jobs list` names the jobs"
        )
    number = older[0].submission_id
    if not options.dry_run:
        _submit(options, ["--version", str(number)])
        return
    from flink_jobs.lifecycle import version

    with version(catalog, number) as old:
        _tell(options, [old])


def cancel(options: Options) -> None:
    """Cancel running jobs by name or id; the next submission starts anew."""
    cluster = Cluster(Settings().flink_rest_url)
    catalog = catalog_of(options)
    prefix = catalog.variables["TOPIC_PREFIX"]
    for name in options.jobs:
        found = cluster.running(prefix + name) or cluster.running(name)
        if not found:
            raise JobError(f"no running job {name}\n  to do: `python -m flink_jobs status` lists")
        for identity in found:
            job_name = cluster.get(f"/jobs/{identity}")["name"]
            cluster.cancel(identity)
            Submissions(catalog.variables).forget(job_name)
            print(f"{name} CANCELED {identity}")


def status(options: Options) -> None:
    """All jobs that the cluster knows."""
    for job in Cluster(Settings().flink_rest_url).jobs():
        began = datetime.fromtimestamp(job["start-time"] / 1000, UTC)
        print(f"{job['state']:<10} {job['name']:<24} {began:%Y-%m-%d %H:%M:%S}Z {job['jid']}")


def check(options: Options) -> None:
    """Plan every job, then run the cases of the models."""
    from flink_jobs.testing.check import check_all

    failed = check_all(catalog_of(options), [Path(path) for path in options.cases], options.debug)
    if failed:
        raise JobError(f"{failed} failed")


def test(options: Options) -> None:
    """Run the cases of a model; with --watch again whenever a file is saved."""
    from flink_jobs.testing.check import cases_of, run_cases, watch

    folder = ROOT / "tests/sql"

    def once() -> int:
        return run_cases(catalog_of(options), cases_of([folder], options.model), options.debug)

    if not options.watch:
        failed = once()
        if failed:
            raise JobError(f"{failed} failed")
        return
    files = (Settings().market_streams_sql, folder)
    for _ in watch(lambda: [path for root in files for path in root.rglob("*.*")]):
        try:
            once()
        except (SqlError, JobError) as error:
            print(error, file=sys.stderr)


def recompute(options: Options) -> None:
    """Compute a model's windows of a range again, late rows taken in, and correct what differs."""
    from flink_jobs.recompute import recompute as corrected

    first, last = moment(options.first), moment(options.last)
    for one in corrected(catalog_of(options), options.model, first, last, options.dry_run):
        print("\n".join([*one.differences, str(one)]))


def prove(options: Options) -> None:
    """Compare what the live jobs wrote, bounded runs in both modes, and the oracle."""
    from flink_jobs.prove import lines
    from flink_jobs.prove import prove as proven

    found = proven(catalog_of(options), options.models)
    print("\n".join(lines(found)))
    unequal = [one.model for one in found if not one.equal]
    if unequal:
        raise JobError(f"not equal: {', '.join(unequal)}")


def backtest(options: Options) -> None:
    """Tell what a rule would have told with other values, beside what it tells as set."""
    from flink_jobs.backtest import backtest as tested
    from flink_jobs.backtest import lines

    what = rules.Change(options.threshold, options.severity, options.cool_down, True)
    first = moment(options.first)
    last = moment(options.last) if options.last else None
    both = tested(catalog_of(options), options.rule, options.pattern, what, first, last)
    print("\n".join(lines(both)))


def list_rules(options: Options) -> None:
    """Rules of alerts; of several that fit a subject, the one further down wins."""
    print("\n".join(rules.listed(catalog_of(options))))


def set_rule(options: Options) -> None:
    """Set what is given of a rule, for the subjects of a pattern; in force within 10 s."""
    what = rules.Change(options.threshold, options.severity, options.cool_down, True)
    rules.change(catalog_of(options), options.rule, options.pattern, what, options.by)


def rule_off(options: Options) -> None:
    """Turn a rule off for the subjects of a pattern; `set` turns it on again."""
    what = rules.Change(enabled=False)
    rules.change(catalog_of(options), options.rule, options.pattern, what, options.by)


def rule_history(options: Options) -> None:
    """Who changed which rule, when, from what to what."""
    print("\n".join(rules.history(catalog_of(options), options.rule)))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 where something is wrong, told in words; 130 after Ctrl-C."""
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
    except KeyboardInterrupt:
        return 130
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
    starting.add_argument("--from", dest="start", help="start anew: earliest, latest, an ISO time")
    starting.add_argument("--dry-run", action="store_true", help="tell, and change nothing")
    for name, function in (("stop", stop), ("cancel", cancel)):
        add(name, function).add_argument("jobs", nargs="+", metavar="JOB")
    add("suspend", suspend)
    add("resume", resume)
    back = add("rollback", rollback)
    back.add_argument("job", metavar="JOB")
    back.add_argument("--dry-run", action="store_true", help="tell, and change nothing")
    _rules(add("rules", list_rules), common)
    add("prove", prove).add_argument("models", nargs="*", metavar="MODEL", help="default: all")
    correcting = add("recompute", recompute)
    correcting.add_argument("model", metavar="MODEL", help="name of a model: bars_1m")
    correcting.add_argument("--from", dest="first", required=True, help="ISO time, included")
    correcting.add_argument("--to", dest="last", required=True, help="ISO time, not included")
    correcting.add_argument("--dry-run", action="store_true", help="tell, and change nothing")
    cases = add("check", check)
    cases.add_argument("cases", nargs="*", default=[str(ROOT / "tests/sql")], metavar="CASES")
    one = add("test", test)
    one.add_argument("model", metavar="MODEL")
    one.add_argument("--watch", action="store_true", help="run again whenever a file is saved")
    return parser


def _rules(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """`rules list|set|off|history|backtest`."""
    commands = parser.add_subparsers(required=True, metavar="list|set|off|history|backtest")
    for name, function in (
        ("list", list_rules),
        ("set", set_rule),
        ("off", rule_off),
        ("history", rule_history),
        ("backtest", backtest),
    ):
        one = commands.add_parser(name, help=function.__doc__, parents=[common])
        one.set_defaults(command=function)
        if name == "list":
            continue
        one.add_argument("rule", nargs="?" if name == "history" else None)
        if name == "history":
            continue
        one.add_argument("pattern", nargs="?", default="*", help="'binance|*'; default: '*', all")
        if name == "backtest":
            one.add_argument("--from", dest="first", required=True, help="ISO time, included")
            one.add_argument("--to", dest="last", help="ISO time, not included; default: no end")
        else:
            one.add_argument("--by", default="", help="who changes it; default: the shell's user")
        if name in ("set", "backtest"):
            one.add_argument("--threshold")
            one.add_argument("--severity", choices=("info", "warning", "critical"))
            one.add_argument("--cool-down", type=int, metavar="SECONDS")
