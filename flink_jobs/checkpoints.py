"""Where a job can go on: its savepoint, or its newest complete checkpoint.

A checkpoint is complete once its folder holds `_metadata`. Layout (Flink's documentation,
"Checkpoints"): `<execution.checkpointing.dir>/<job id>/chk-<number>/_metadata`.
"""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from flink_jobs.cluster import Cluster
from flink_jobs.errors import JobError
from flink_jobs.submissions import Submission, Submissions

FOLDER = "execution.checkpointing.dir"
KEPT = 2
"""Submissions of a job whose checkpoints stay: the running one, and that which it came from."""


def local(address: str) -> Path | None:
    """The path of a `file:` address; None for a store that is not on this machine."""
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme in ("file", "") else None


def stop(cluster: Cluster, submissions: Submissions, one: Submission, wanted: bool) -> str:
    """Stop a running job with a savepoint, or where it can make none, at its last checkpoint."""
    savepoint = None
    for identity in cluster.running(one.job_name):
        try:
            savepoint = cluster.stop(identity)
        except JobError as error:
            print(f"{one.job_name}: {error}; its last checkpoint counts", file=sys.stderr)
            cluster.cancel(identity)
    submissions.stopped(one, savepoint, wanted)
    return savepoint or "its last checkpoint"


def newest(cluster: Cluster, one: Submission) -> str | None:
    """Address of what a job can be restored from; None where it has nothing yet."""
    if one.savepoint:
        return one.savepoint
    return _newest_checkpoint(cluster, one.flink_id) or one.restored_from


def _newest_checkpoint(cluster: Cluster, flink_id: str) -> str | None:
    folder = local(_folder(cluster))
    if folder is None:  # only the cluster can tell, as long as it knows the job
        known = flink_id in {job["jid"] for job in cluster.jobs()}
        answer = cluster.get(f"/jobs/{flink_id}/checkpoints") if known else {}
        completed = (answer.get("latest") or {}).get("completed") or {}
        return completed.get("external_path")
    complete = {
        int(found.parent.name.removeprefix("chk-")): found.parent
        for found in (folder / flink_id).glob("chk-*/_metadata")
    }
    return complete[max(complete)].as_uri() if complete else None


def _folder(cluster: Cluster) -> str:
    options = {entry["key"]: entry["value"] for entry in cluster.get("/jobmanager/config")}
    return str(options.get(FOLDER, "none:"))


def prune(cluster: Cluster, submissions: Iterable[Submission]) -> None:
    """Remove checkpoints and savepoints that no submission needs; `submissions`: newest first."""
    listed = list(submissions)
    folder = local(_folder(cluster))
    needed = {each.restored_from for each in listed[:KEPT]}
    for old in listed[KEPT:]:
        paths = [local(old.savepoint) if old.savepoint and old.savepoint not in needed else None]
        held = any(address and f"/{old.flink_id}/" in address for address in needed)
        paths.append(folder / old.flink_id if folder and not held else None)
        for path in paths:
            if path:
                shutil.rmtree(path, ignore_errors=True)
