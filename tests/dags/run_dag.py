"""Runs the DAG in this process, for test_run.py: `python -m tests.dags.run_dag`.

Each line of standard input is a JSON object: `conf`, and for a run that is not by hand its
`run_type` and `logical_date`. Each is answered with one line of JSON: the run's `id` and `state`,
its tasks' states and what they returned. AIRFLOW_HOME must be set and empty.
"""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.models import dagrun
from airflow.models.xcom import XComModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.types import DagRunType

DAGS = Path(__file__).resolve().parents[2] / "dags"


def main() -> None:
    """Answer until the input ends. Airflow prints to standard output too, so that is moved."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    initdb()
    for line in sys.stdin:
        # Anew: the params of a DAG object keep what a run was given.
        dag = DagBag(str(DAGS)).dags["all_stocks_fetch"]
        asked = json.loads(line)
        of_type(DagRunType(asked.get("run_type", "manual")))
        moment = asked.get("logical_date")
        run = dag.test(
            run_conf=asked["conf"], logical_date=datetime.fromisoformat(moment) if moment else None
        )
        print(json.dumps(outcome(run)), file=answers, flush=True)


def outcome(run: Any) -> dict[str, Any]:
    """How a run went; a mapped task has several states, and its last result."""
    with create_session() as session:
        values = session.query(XComModel).filter_by(run_id=run.run_id, key="return_value")
        states: dict[str, list[str]] = {}
        for ti in run.get_task_instances(session=session):
            states.setdefault(ti.task_id, []).append(str(ti.state))
        return {
            "id": run.run_id,
            "state": str(run.state),
            "tasks": states,
            "results": {row.task_id: XComModel.deserialize_value(row) for row in values},
        }


MAKE = dagrun.get_or_create_dagrun


def of_type(run_type: DagRunType) -> None:
    """Let `dag.test` make runs of this type: by itself it knows runs by hand only."""

    def make(**values: Any) -> Any:
        run = MAKE(**values)
        run.run_type = run_type
        values["session"].commit()
        return run

    dagrun.get_or_create_dagrun = make


if __name__ == "__main__":
    main()
