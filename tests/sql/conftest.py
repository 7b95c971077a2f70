"""Cases of models as tests: one Flink inside this process, PostgreSQL for lookup sides."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from flink_jobs.settings import ROOT, Settings

if find_spec("pyflink"):
    from flink_jobs.testing.plugin import pytest_collect_file

    __all__ = ["pytest_collect_file"]


def needs_rules(path: Path) -> bool:
    """Whether a test looks rules up."""
    return path.suffix == ".yaml" or path.name == "test_mutations.py"


def free_port() -> int:
    """A port of the loopback address that nobody uses at this moment."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """PostgreSQL on a free port while cases run, started by the base environment's stack."""
    if not any(needs_rules(item.path) for item in session.items):
        return (yield)
    with tempfile.TemporaryDirectory(prefix="market-streams-cases-") as folder:
        port = free_port()
        pgpass = Path(folder) / "pgpass"
        found = {
            "MARKET_STREAMS_STATE": folder,
            "MARKET_STREAMS_INSTALLED": str(Settings().flink_python.parents[3]),
            "POSTGRES_PORT": str(port),
        }
        python = Settings().flink_python.parents[2] / "base/bin/python"

        def stack(*words: str) -> None:
            command = [python, "-m", "docker.stack", *words]
            subprocess.run(
                command, cwd=ROOT, env={**os.environ, **found}, check=True, capture_output=True
            )

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABASE_URL", f"postgresql://market@127.0.0.1:{port}/market")
            patch.setenv("PGPASSFILE", str(pgpass))
            stack("up", "postgres")
            try:
                return (yield)
            finally:
                stack("clean")
