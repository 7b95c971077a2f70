"""The stack's Flink jobs across its stops and deaths: `python -m flink_jobs suspend|resume`."""

import os
import subprocess
from collections.abc import Mapping

from docker.local.service import ServiceError
from docker.local.settings import ROOT, StackSettings

NEEDED = frozenset({"kafka", "postgres", "jobmanager", "taskmanager"})
"""Services without which no job runs."""


def suspend(settings: StackSettings, variables: Mapping[str, str] | None = None) -> str:
    """Stop all jobs with savepoints; what was said. ServiceError with the reason."""
    return call(settings, "suspend", variables)


def resume(settings: StackSettings, variables: Mapping[str, str] | None = None) -> str:
    """Start what is to run and does not, from where it was; what was said. ServiceError."""
    return call(settings, "resume", variables)


def call(settings: StackSettings, word: str, variables: Mapping[str, str] | None = None) -> str:
    """Run a command of the jobs; `variables` name another prefix or schema than the default."""
    python = settings.installed / "venv/flink/bin/python"
    if not python.exists():
        return ""
    done = subprocess.run(
        [str(python), "-m", "flink_jobs", word],
        cwd=ROOT,
        env={**os.environ, **settings.environment(), **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"flink_jobs {word} failed: {done.stdout}{done.stderr}".strip())
    return done.stdout.strip()
