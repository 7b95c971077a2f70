"""A job's life: first start, edits, restarts, the way back to an earlier version.

State goes on where the plan is the same (flink_jobs/plans.py). Where it is not, the job is computed
anew from the topics by the rule of flink_jobs/start.py: rows written before stay and are replaced
by key. Nothing is ever restored in part.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flink_jobs import checkpoints, plans, postgres, topics
from flink_jobs.catalog import Catalog
from flink_jobs.cluster import Cluster
from flink_jobs.environment import Engine
from flink_jobs.errors import JobError, SqlError
from flink_jobs.jobs import (
    explain_statements,
    from_whole_windows,
    plan_job,
    python_archive,
    statements,
)
from flink_jobs.render import Plan, Step
from flink_jobs.settings import Settings
from flink_jobs.submissions import Submission, Submissions

RESTORE = "execution.state-recovery.path"
START = "START_FROM"


@dataclass
class Start:
    """How a job is to start: planned, compared with the submission before."""

    catalog: Catalog
    job_name: str
    plan: Plan
    engine: Engine
    before: Submission | None
    changes: list[str]
    """Why state of the submission before does not fit."""
    running: list[str]
    """Ids of this job on the cluster."""

    @property
    def unchanged(self) -> bool:
        """The very same runs already."""
        return bool(self.running and self.before and not self.changes and not self.edited)

    @property
    def edited(self) -> bool:
        """Whether any statement differs, be it one that state does not depend on."""
        return not self.before or self.before.statements != statements(self.plan)

    def told(self) -> str:
        """What is going to happen, in words."""
        if self.unchanged:
            return "runs already, unchanged"
        if self.before is None or self.before.forgotten:
            return "starts anew"
        if self.changes:
            return f"is computed anew from the topics: {'; '.join(self.changes)}"
        return "goes on from where it was: its plan is the same"


def prepared(catalog: Catalog, name: str, start: str | None = None, debug: bool = False) -> Start:
    """Plan a job and compare it with its last submission; nothing is stopped or changed.

    `start`: an explicit --from, which takes no state. JobError, SqlError.
    """
    cluster = Cluster(Settings().flink_rest_url)
    job_name = catalog.variables["TOPIC_PREFIX"] + catalog.job(name).name
    before = Submissions(catalog.variables).newest(job_name)
    if start:
        catalog = _with(catalog, {START: start})
    elif before and not before.forgotten:
        # The first wanted window is part of the plan.
        catalog = _with(catalog, {START: before.variables[START]})
    else:
        catalog = from_whole_windows(catalog, name)
    plan, engine = plan_job(catalog, name, debug)
    known = before is not None and not before.forgotten
    changes = _changes(catalog, cluster, before, plan, start) if before and known else []
    if before and changes and not start:
        whole = from_whole_windows(catalog, name)
        if whole.variables[START] != catalog.variables[START]:
            catalog = whole
            plan, engine = plan_job(catalog, name, debug)
    found = Start(catalog, job_name, plan, engine, before, changes, cluster.running(job_name))
    if found.running and not before:
        raise JobError(
            f"{job_name} runs already, submitted by other means\n"
            f"  to do: `python -m flink_jobs cancel {name}` first"
        )
    _refuse_doubles(found, start)
    return found


def _changes(
    catalog: Catalog, cluster: Cluster, before: Submission, plan: Plan, start: str | None
) -> list[str]:
    if start:
        return [f"--from {start}"]
    found = []
    if before.flink_version != cluster.version():
        found.append(f"Flink {before.flink_version} → {cluster.version()}")
    if before.kafka_cluster != topics.cluster_id(catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]):
        found.append("another Kafka cluster")
    try:
        found += plans.changes(before.statements, statements(plan), explain_statements)
    except SqlError as error:
        found.append(f"the version before cannot be planned any more ({error})")
    return found


def _refuse_doubles(found: Start, start: str | None) -> None:
    """What only appends cannot be computed anew without writing its rows twice."""
    appending = [model for model in found.plan.models if "kafka-append" in model.sinks]
    anew = found.before and (found.changes or found.before.forgotten)
    if not appending or not anew or start:
        return
    why = "; ".join(found.changes) or "it was cancelled"
    raise JobError(
        f"{appending[0].name} appends: computed anew, its rows would stand twice in its topic"
        f" ({why})\n"
        "  to do: `--from TIME`, the first instant that is not written yet (or `--from earliest`"
        " to write all of them again), or give the model another Topic and name"
    )


def submit(
    catalog: Catalog, name: str, start: str | None = None, debug: bool = False
) -> dict[str, str]:
    """Make topics and tables, stop the job with a savepoint if it runs, send it.

    Returns job, id and how it started. Nothing is stopped before the new plan stands.
    """
    found = prepared(catalog, name, start, debug)
    how = found.told()
    if found.unchanged:
        return {"job": name, "id": found.running[0], "how": how}
    _tables_and_topics(found)
    cluster = Cluster(Settings().flink_rest_url)
    submissions = Submissions(found.catalog.variables)
    before = _stopped(cluster, submissions, found)
    address = None
    if before and not found.changes and not before.forgotten:
        address = checkpoints.newest(cluster, before)
        if address is None:
            how = "starts anew: it had no checkpoint yet"
    if address:
        found.engine.configure({RESTORE: address})
    if found.plan.uses_python:
        found.engine.add_python(python_archive())
    result = found.engine.run(Step(found.plan.statement_set))
    identity = str(result.get_job_client().get_job_id())
    first = found.plan.first.isoformat() if found.plan.first else "earliest"
    submissions.add(
        job_name=found.job_name,
        flink_id=identity,
        asked=found.catalog.asked(name),
        files=_files(found.catalog.root),
        variables={**found.catalog.variables, START: first},
        statements=statements(found.plan).json(),
        flink_version=cluster.version(),
        kafka_cluster=topics.cluster_id(found.catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]),
        restored_from=address,
        wanted=found.catalog.variables["BOUNDED"] == "unbounded",
    )
    checkpoints.prune(cluster, submissions.of(found.job_name))
    return {"job": name, "id": identity, "how": how}


def _tables_and_topics(found: Start) -> None:
    servers = found.catalog.variables["KAFKA_BOOTSTRAP_SERVERS"]
    for made in topics.ensure(servers, found.plan.topics):
        print(f"topic {made}", file=sys.stderr)
    for done in postgres.ensure(found.catalog, found.plan.tables.values()):
        print(done, file=sys.stderr)


def _stopped(cluster: Cluster, submissions: Submissions, found: Start) -> Submission | None:
    """The submission before, once nothing of the job runs any more."""
    if found.before and found.running:
        checkpoints.stop(cluster, submissions, found.before, wanted=True)
        return submissions.newest(found.job_name)
    return found.before


def submit_version(catalog: Catalog, number: int, debug: bool = False) -> dict[str, str]:
    """Submit the files of an earlier submission, by the same rules. `catalog`: where to look."""
    with version(catalog, number) as (old, asked):
        return submit(old, asked, debug=debug)


@contextmanager
def version(catalog: Catalog, number: int) -> Iterator[tuple[Catalog, str]]:
    """The catalog of an earlier submission, and the name under which it was submitted."""
    one = Submissions(catalog.variables).get(number)
    if one is None:
        raise JobError(f"no submission {number}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "sql"
        for path, text in one.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        # Where services are is a matter of today.
        places = {name: catalog.variables[name] for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE")}
        yield Catalog.load(root, {**one.variables, **places}), one.asked


def _files(root: Path) -> dict[str, str]:
    """Texts of a SQL folder by path under it."""
    paths = [root / "jobs.toml", *sorted(root.rglob("*.sql"))]
    return {str(path.relative_to(root)): path.read_text() for path in paths}


def _with(catalog: Catalog, variables: Mapping[str, str]) -> Catalog:
    return Catalog(catalog.root, {**catalog.variables, **variables}, catalog.config)
