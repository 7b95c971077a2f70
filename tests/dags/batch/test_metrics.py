"""Figures in the text format of Prometheus."""

import os
import re

import pytest

from dags.batch import metrics
from dags.batch.config import BatchConfig
from dags.batch.engine import BatchEngine
from dags.batch.metrics import Metric, Sample
from dags.batch.models import Mode
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration

LINE = re.compile(
    r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? -?[\d.e+-]+'
)


def values(text: str) -> dict[str, float]:
    """Value by series, of a text each line of which is well formed."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_labels_are_escaped() -> None:
    """Quotes, backslashes and line ends stay inside their label."""
    text = metrics.text(
        [Metric("m", "gauge", "Help.", [Sample(1.5, {"a": 'x"\\\n'}), Sample(2, {"a": "{}"})])]
    )
    assert text == ('# HELP m Help.\n# TYPE m gauge\nm{a="x\\"\\\\\\n"} 1.5\nm{a="{}"} 2\n')


def test_without_a_batch_there_are_figures_too(database: BatchDatabase) -> None:
    """All states at 0, and what the host uses."""
    found = values(metrics.render(database.connection))
    assert found['batch_executions{status="running"}'] == 0
    assert found["batch_worker_processes"] == 0
    assert found["batch_host_memory_available_bytes"] > 0
    assert "batch_success_ratio" not in found


def test_figures_are_those_of_the_rows(database: BatchDatabase) -> None:
    """States, errors by class, success, mean time; resources of the process that works."""
    engine = BatchEngine()
    engine.start_batch(["7203", "6758", "130A", "9984", "8306"], mode=Mode.SYMBOLS)
    worker = f"{BatchConfig.load().worker_host}:{os.getpid()}:1"
    with database.connection.cursor() as cursor:
        cursor.execute(
            "UPDATE batch_execution_details SET status = 'completed', start_time = now(),"
            " end_time = now(), duration_ms = 500, http_calls = 2, records_inserted = 7"
            " WHERE stock_code IN ('7203', '6758', '130A')"
        )
        cursor.execute(
            "UPDATE batch_execution_details SET status = 'failed', start_time = now(),"
            " end_time = now(), duration_ms = 1500, retry_count = 3, error_class = 'TEMPORARY'"
            " WHERE stock_code = '9984'"
        )
        cursor.execute(
            "UPDATE batch_execution_details SET status = 'processing', worker_id = %s"
            " WHERE stock_code = '8306'",
            (worker,),
        )
    found = values(metrics.render(database.connection))
    assert {name: found[name] for name in found if name.startswith("batch_stocks{")} == {
        'batch_stocks{state="completed"}': 3,
        'batch_stocks{state="failed"}': 1,
        'batch_stocks{state="processing"}': 1,
        'batch_stocks{state="pending"}': 0,
    }
    assert found['batch_errors{class="TEMPORARY"}'] == 1
    assert found["batch_success_ratio"] == 0.75
    assert found["batch_stock_seconds_mean"] == 0.75
    assert found["batch_retries"] == 3
    assert (found["batch_http_calls"], found["batch_rows_stored"]) == (6, 21)
    assert found["batch_worker_processes"] == 1
    assert found["batch_worker_cpu_seconds"] > 0
    assert found["batch_worker_resident_bytes"] > 2**20
