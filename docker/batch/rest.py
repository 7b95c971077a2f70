"""The few requests to Airflow that `make batch` needs."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

from docker.local.service import ServiceError
from docker.local.settings import StackSettings

DAG_ID = "all_stocks_fetch"
DAG = f"/api/v2/dags/{DAG_ID}"
SEEN_SECONDS = 90
POLL_SECONDS = 0.5


class Run(NamedTuple):
    """A run of a DAG."""

    dag_id: str
    run_id: str
    kind: str
    """manual, scheduled or backfill."""


class Airflow:
    """Airflow as its user admin. ServiceError where it does not answer or refuses."""

    def __init__(self, settings: StackSettings) -> None:
        self._url = settings.airflow_url
        password = json.loads(settings.airflow_passwords.read_text())["admin"]
        login = {"username": "admin", "password": password}
        self._token = ""
        self._token = self.call("POST", "/auth/token", login)["access_token"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """JSON of one request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return None if answer.status == 204 else json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise ServiceError(f"Airflow refuses {method} {path}: {error.code} {text}") from None
        except (OSError, ValueError) as error:
            raise ServiceError(f"Airflow does not answer at {self._url}: {error}") from None

    def at_work(self) -> list[Run]:
        """Runs of any DAG that are going on or wait."""
        runs = self.call("GET", "/api/v2/dags/~/dagRuns?state=running&state=queued")["dag_runs"]
        return [Run(run["dag_id"], run["dag_run_id"], run["run_type"]) for run in runs]

    def drop(self, run: Run) -> None:
        """Forget a run; its tasks are stopped."""
        name = urllib.parse.quote(run.run_id, safe="")
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{name}"
        self.call("PATCH", path, {"state": "failed"})  # a running one cannot be deleted
        self.call("DELETE", path)

    def drop_scheduled(self) -> None:
        """Forget runs that the schedule of the DAG has begun.

        Switching a DAG on starts the run of its last date at once, and only one may be active.
        """
        for run in self.at_work():
            if run.dag_id == DAG_ID and run.kind == "scheduled":
                self.drop(run)

    def wait_for_dag(self) -> bool:
        """Wait until the DAG was read; say whether it is switched off. ServiceError with the
        errors of its import if it does not come."""
        deadline = time.monotonic() + SEEN_SECONDS
        while time.monotonic() < deadline:
            try:
                return bool(self.call("GET", DAG)["is_paused"])
            except ServiceError as error:
                if " 404 " not in str(error):
                    raise
            time.sleep(POLL_SECONDS)
        errors = self.call("GET", "/api/v2/importErrors")["import_errors"]
        traces = "\n".join(f"{each['filename']}:\n{each['stack_trace']}" for each in errors)
        raise ServiceError(f"Airflow has not read its DAG after {SEEN_SECONDS} s\n{traces}")

    def switch(self, paused: bool) -> None:
        """Switch the DAG off or on; runs that wait start with it."""
        self.call("PATCH", DAG, {"is_paused": paused})

    def trigger(self, run_id: str, conf: dict[str, object]) -> None:
        """Start a run."""
        body = {"logical_date": None, "dag_run_id": run_id, "conf": conf}
        self.call("POST", f"{DAG}/dagRuns", body)

    def state(self, run_id: str) -> str:
        """queued, running, success or failed."""
        return str(self.call("GET", f"{DAG}/dagRuns/{run_id}")["state"])

    def running_tasks(self, run_id: str) -> list[str]:
        """Names of the tasks of a run that are running, each once."""
        path = f"{DAG}/dagRuns/{run_id}/taskInstances?state=running&limit=100"
        found = self.call("GET", path)["task_instances"]
        return sorted({str(task["task_id"]) for task in found})
