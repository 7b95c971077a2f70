"""Submit jobs with `flink run`, all of them from one client call, and wait until they run."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from flink_jobs.cluster import Cluster
from flink_jobs.errors import JobError
from flink_jobs.settings import ROOT, Settings


def command(settings: Settings, arguments: Sequence[str]) -> list[str]:
    """The `flink run` call; `arguments` are those of run.py."""
    home = settings.flink_environment().get("FLINK_HOME")
    if home is None:
        raise JobError(f"no Flink beside {settings.flink_python}\n  to do: `make setup`")
    python = str(settings.flink_python)
    address = urlsplit(settings.flink_rest_url).netloc
    flink = [str(Path(home) / "bin/flink"), "run", "-d", "-m", address]
    interpreters = ["-pyclientexec", python, "-pyexec", python]
    return [*flink, *interpreters, "-py", str(ROOT / "flink_jobs/run.py"), "--", *arguments]


def submit(settings: Settings, arguments: Sequence[str], seconds: float = 90) -> dict[str, str]:
    """Job ids by job name, once all tasks of each job run. JobError with the client's words."""
    return {entry["job"]: entry["id"] for entry in told(settings, arguments, seconds)}


def told(settings: Settings, arguments: Sequence[str], seconds: float = 90) -> list[dict[str, str]]:
    """What run.py says of each job, once all its tasks run. JobError with the client's words."""
    cluster = Cluster(settings.flink_rest_url)
    cluster.get("/overview")
    done = subprocess.run(
        command(settings, arguments),
        cwd=ROOT,
        env=settings.flink_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"job"')]
    if done.returncode or not found:
        raise JobError(said(done.stderr, done.stdout))
    for entry in found:
        cluster.wait_running(entry["id"], seconds)
    return found


def said(stderr: str, stdout: str) -> str:
    """What our runner said, without the stack of the Java client around it."""
    noise = ("\t", "WARNING", "Caused by", "org.apache.flink.", "------", " The program")
    lines = [line for line in stderr.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(noise)]
    return "\n".join(kept) or stdout.strip()[-2000:] or "flink run failed without a word"
