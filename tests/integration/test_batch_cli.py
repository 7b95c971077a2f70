"""The batch's command line with a real Airflow behind it."""

import subprocess
import sys

import pytest

from docker.local.settings import ROOT
from tests.integration.batch import batch_with
from tests.integration.conftest import RunningAirflow

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def run(airflow: RunningAirflow, *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one command."""
    done = subprocess.run(
        [sys.executable, "-m", "dags.batch", *words],
        env=airflow.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def test_batch_is_started_and_watched_to_its_end(airflow: RunningAirflow) -> None:
    """Exit code 0 once all stocks are stored; then what failed can be tried again, here nothing."""
    with batch_with(airflow, symbols=8) as batch:
        code, out, errors = run(
            airflow, "start", "--mode", "symbols", "--symbols", "7203,6758.T", "--watch"
        )
        assert code == 0, errors
        assert out.startswith("Airflow starts run manual__")
        assert " completed 2/2 (100.00%) " in out.splitlines()[-1]
        assert batch.stored()["7203.T"] == batch.truth("7203.T")
        code, _, errors = run(airflow, "retry-failed")
        assert (code, "has no failed stocks" in errors) == (2, True)
