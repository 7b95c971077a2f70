"""The plugin as Airflow loads it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.airflow

LOADED = """
import sys
from airflow import plugins_manager
from airflow.plugins_manager import get_fastapi_plugins, get_import_errors
apps, _ = get_fastapi_plugins()
print([app["url_prefix"] for app in apps], get_import_errors())
print("dags.plugins.batch_page.app" in sys.modules, "dags.batch.view" in sys.modules)
"""


def test_plugin_loads_alone_and_without_its_page() -> None:
    """Every task's process loads plugins: the page is imported by the first request only."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines()[-2:] == ["['/batch'] {}", "False False"], done.stderr
