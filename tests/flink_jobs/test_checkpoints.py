"""Where a job goes on from, found in a real folder; the cluster's answers come over HTTP."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flink_jobs import checkpoints
from flink_jobs.cluster import Cluster
from flink_jobs.plans import Statements
from flink_jobs.submissions import Submission

ONE = Submission(
    submission_id=1,
    job_name="bars",
    flink_id="f1",
    asked="bars",
    files={},
    variables={},
    statements=Statements({}, (), ()),
    flink_version="2.2.1",
    kafka_cluster="k",
    restored_from=None,
    savepoint=None,
    wanted=True,
    forgotten=False,
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that keeps its checkpoints in the folder."""

    class Answer(BaseHTTPRequestHandler):
        """Says where checkpoints are."""

        def do_GET(self) -> None:
            """The configuration, whatever is asked."""
            self.send_response(200)
            self.end_headers()
            option = {"key": checkpoints.FOLDER, "value": tmp_path.as_uri()}
            self.wfile.write(json.dumps([option]).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Cluster(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def checkpoint(folder: Path, job: str, number: int, complete: bool = True) -> Path:
    """A checkpoint of a job."""
    made = folder / job / f"chk-{number}"
    made.mkdir(parents=True)
    if complete:
        (made / "_metadata").touch()
    return made


def test_the_newest_complete_checkpoint_counts(tmp_path: Path, cluster: Cluster) -> None:
    """By number, not by name; one without its metadata was never finished."""
    checkpoint(tmp_path, "f1", 9)
    newest = checkpoint(tmp_path, "f1", 10)
    checkpoint(tmp_path, "f1", 11, complete=False)
    assert checkpoints.newest(cluster, ONE) == newest.as_uri()


def test_a_savepoint_is_newer_than_every_checkpoint(tmp_path: Path, cluster: Cluster) -> None:
    """It was the job's last act."""
    checkpoint(tmp_path, "f1", 9)
    assert checkpoints.newest(cluster, replace(ONE, savepoint="file:/s")) == "file:/s"


def test_killed_before_its_first_checkpoint_it_goes_on_from_where_it_began(
    cluster: Cluster,
) -> None:
    """And from nowhere, if it began anew."""
    assert checkpoints.newest(cluster, ONE) is None
    assert checkpoints.newest(cluster, replace(ONE, restored_from="file:/r")) == "file:/r"


def test_only_what_nobody_goes_on_from_is_removed(tmp_path: Path, cluster: Cluster) -> None:
    """The two newest submissions keep theirs, and so does what they were restored from."""
    for job in ("f1", "f2", "f3", "f4"):
        checkpoint(tmp_path, job, 1)
    origin = (tmp_path / "f2/chk-1").as_uri()
    listed = [
        replace(ONE, flink_id="f4"),
        replace(ONE, flink_id="f3", restored_from=origin),
        replace(ONE, flink_id="f2"),
        replace(ONE, flink_id="f1"),
    ]
    checkpoints.prune(cluster, listed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f2", "f3", "f4"]
