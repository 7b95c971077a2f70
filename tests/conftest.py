"""Rules for all tests: which environment runs which test module."""

import os
import re
import signal
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = {"flink": find_spec("pyflink"), "airflow": find_spec("airflow")}
MINE = next((name for name, found in ENVIRONMENTS.items() if found), "dev")
"""The environment that runs these tests."""


def environment_of(text: str) -> str:
    """Environment that a test module asks for by the mark of the whole module, else dev."""
    found = re.search(r"^pytestmark = .*pytest\.mark\.(flink|airflow)\b", text, re.MULTILINE)
    return found[1] if found else "dev"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Collect a module only where it can be imported.

    A module that needs PyFlink says `pytestmark = pytest.mark.flink` (or a list with it, on one
    line), one that needs Airflow or yfinance `pytest.mark.airflow`. It runs in the environment
    of that name and nowhere else, all others run in dev: so each test runs once and none is
    skipped for its environment.
    """
    if not collection_path.name.startswith("test_") or collection_path.suffix != ".py":
        return None
    wanted = environment_of(collection_path.read_text(encoding="utf-8"))
    return True if wanted != MINE else None


def pytest_configure(config: pytest.Config) -> None:
    """Give Airflow a home of its own before anything imports it: it reads that only once.

    SIGTERM ends a run as Ctrl-C does: fixtures stop what they started.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if find_spec("hypothesis"):
        from hypothesis import HealthCheck, settings

        # How long an example takes says more about the machine than about the code.
        slow = [HealthCheck.too_slow]
        settings.register_profile("any machine", deadline=None, suppress_health_check=slow)
        settings.load_profile("any machine")
    if MINE != "airflow":
        return
    home = tempfile.TemporaryDirectory(prefix="market-streams-airflow-")
    config.add_cleanup(home.cleanup)
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = home.name
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "dags/plugins")
