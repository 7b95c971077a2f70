"""Airflow's REST interface, as far as the batch needs it: start a run, and go on with one.

    api = log_in(load_access())
    run_id = api.trigger({"mode": "differential"})
    api.run_state(run_id)        # "queued"

Every error is an `AirflowError` whose text names the remedy.
"""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

DAG_ID = "all_stocks_fetch"
DEFAULT_URL = "http://127.0.0.1:18080"
TIMEOUT_SECONDS = 30
ANSWER_BYTES = 8 * 1024 * 1024
POLL_SECONDS = 0.5
BUSY = ("running", "restarting", "queued", "scheduled", "deferred")
"""What ends soon of an execution that was stopped. A retry may be minutes away, it is no such."""
RETRYING = ("up_for_retry", "up_for_reschedule")
ENDED = ("success", "failed")
UNFINISHED = ("failed", "upstream_failed", "skipped")
PAGE = 100


class AirflowError(Exception):
    """Airflow did not do what was asked. `status` is the HTTP status, None without an answer."""

    def __init__(self, text: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)


class Access(NamedTuple):
    """Where Airflow is, and as whom to talk to it."""

    url: str
    user: str
    password: str


class Triggered(NamedTuple):
    """A run that was asked for."""

    run_id: str
    was_paused: bool
    """The DAG was switched off in Airflow; it was switched on, else the run would never start."""


def load_access(user: str = "") -> Access:
    """Address, user and password from AIRFLOW_URL, AIRFLOW_USER, AIRFLOW_PASSWORDS.

    AIRFLOW_PASSWORDS names a JSON file {user: password}; without it, AIRFLOW_PASSWORD counts.
    AirflowError if there is no password for the user.
    """
    url = os.environ.get("AIRFLOW_URL") or DEFAULT_URL
    user = user or os.environ.get("AIRFLOW_USER") or "admin"
    if password := os.environ.get("AIRFLOW_PASSWORD"):
        return Access(url, user, password)
    file = os.environ.get("AIRFLOW_PASSWORDS")
    if not file:
        raise AirflowError(
            f"no password for Airflow's user {user}: set AIRFLOW_PASSWORDS to the file of the "
            "local stack (`make -s env` prints it), or AIRFLOW_PASSWORD"
        )
    return Access(url, user, _password(Path(file), user))


def _password(file: Path, user: str) -> str:
    try:
        passwords = json.loads(file.read_text(encoding="utf-8"))
        return str(passwords[user])
    except OSError as error:
        raise AirflowError(
            f"AIRFLOW_PASSWORDS={file}: {error.strerror}; start the stack (`make up`), "
            "which writes it"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise AirflowError(
            f"AIRFLOW_PASSWORDS={file}: no password for {user}; it must hold JSON "
            '{"user": "password"}'
        ) from None


def log_in(access: Access) -> "AirflowApi":
    """A client with a token of its own. AirflowError where Airflow is gone or refuses."""
    api = AirflowApi(access.url)
    answer = api.call("POST", "/auth/token", {"username": access.user, "password": access.password})
    return AirflowApi(access.url, str(answer["access_token"]))


class AirflowApi:
    """A client for one DAG, with the rights of the token's owner."""

    def __init__(self, url: str, token: str = "", dag_id: str = DAG_ID) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise AirflowError(f"AIRFLOW_URL={url}: not an http address, e.g. {DEFAULT_URL}")
        self._url = url.rstrip("/")
        self._token = token
        self._dag = f"/api/v2/dags/{urllib.parse.quote(dag_id, safe='')}"
        self._dag_id = dag_id

    def trigger(self, conf: Mapping[str, Any]) -> Triggered:
        """Start a run with these parameters; a DAG that is switched off is switched on then.

        In this order: once it is on, Airflow may make up for a scheduled run it has missed, and
        that would go first.
        """
        answer = self.call("POST", f"{self._dag}/dagRuns", {"logical_date": None, "conf": conf})
        return Triggered(str(answer["dag_run_id"]), self.unpause())

    def is_paused(self) -> bool:
        """Whether the DAG is switched off: its runs would wait in `queued` and say nothing."""
        return bool(self.call("GET", self._dag)["is_paused"])

    def unpause(self) -> bool:
        """Switch the DAG on; say whether it was off."""
        if not self.is_paused():
            return False
        self.call("PATCH", f"{self._dag}?update_mask=is_paused", {"is_paused": False})
        return True

    def run_state(self, run_id: str) -> str:
        """State of a run: queued, running, success, failed."""
        return str(self.call("GET", self._run(run_id))["state"])

    def busy_tasks(self, run_id: str) -> list[str]:
        """Task instances that work or are about to, each as `task_id[map_index]`."""
        return [f"{task}[{index}]" for task, index in self._tasks(run_id, BUSY)]

    def retrying_tasks(self, run_id: str) -> list[str]:
        """Task instances that Airflow tries again by itself."""
        return [f"{task}[{index}]" for task, index in self._tasks(run_id, RETRYING)]

    def wait_idle(self, run_id: str, seconds: float) -> bool:
        """Wait until the run has ended, or nothing of it happens before a retry is due.

        That no task is busy is not enough: between two tasks none is. False if it takes longer.
        """
        deadline = time.monotonic() + seconds
        while not self._is_idle(run_id):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _is_idle(self, run_id: str) -> bool:
        if self.run_state(run_id) in ENDED:
            return True
        return bool(self.retrying_tasks(run_id)) and not self.busy_tasks(run_id)

    def clear_failed(self, run_id: str) -> int:
        """Let the tasks of a run that failed, and all that follows them, start again.

        What follows must run again even where it succeeded: a report of half a batch did.
        Returns how many task instances start; 0 if none had failed.
        """
        failed = self._tasks(run_id, UNFINISHED)
        if not failed:
            return 0
        self.unpause()
        answer = self.call(
            "POST",
            f"{self._dag}/clearTaskInstances",
            {
                "dag_run_id": run_id,
                "task_ids": [task if index < 0 else [task, index] for task, index in failed],
                "include_downstream": True,
                "only_failed": False,
                "reset_dag_runs": True,
                "dry_run": False,
            },
        )
        return int(answer["total_entries"])

    def _tasks(self, run_id: str, states: Sequence[str]) -> list[tuple[str, int]]:
        """(task_id, map_index) of the instances in these states; -1 where it is not mapped."""
        query = "&".join(f"state={state}" for state in states)
        found: list[tuple[str, int]] = []
        while True:
            page = self.call(
                "GET",
                f"{self._run(run_id)}/taskInstances?{query}&limit={PAGE}&offset={len(found)}",
            )
            found += [(each["task_id"], each["map_index"]) for each in page["task_instances"]]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def _run(self, run_id: str) -> str:
        return f"{self._dag}/dagRuns/{urllib.parse.quote(run_id, safe='')}"

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request; its JSON answer. AirflowError for everything else."""
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            self._url + path, data=data, headers=headers, method=method
        )
        try:
            # No proxy: Airflow is ours, and a token is not to travel through somebody else.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return json.loads(response.read(ANSWER_BYTES) or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                text = _detail(error.read(ANSWER_BYTES))
            raise AirflowError(self._explain(error.code, text), error.code) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise AirflowError(
                f"Airflow does not answer at {self._url} ({reason}): start it with `make up`, "
                "or set AIRFLOW_URL"
            ) from None
        except ValueError:
            raise AirflowError(f"{self._url} is not Airflow: set AIRFLOW_URL") from None

    def _explain(self, status: int, text: str) -> str:
        if status == 401:
            return (
                "Airflow does not take the password or the token: log in again, or check "
                f"AIRFLOW_USER and AIRFLOW_PASSWORDS ({text})"
            )
        if status == 403:
            return f"Airflow's user has no right to do this: a role above viewer can ({text})"
        if status == 404 and text.startswith("The Dag "):
            return (
                f"Airflow has no DAG {self._dag_id}: it was just started and reads its files, or "
                "the file is broken (its page then shows the import error)"
            )
        if status == 404:
            return f"Airflow does not have it any more: {text}"
        return f"Airflow answered {status}: {text}"


def _detail(body: bytes) -> str:
    """What FastAPI says in `detail`, else the start of the body."""
    try:
        detail = json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace").strip() or "no reason given"
    if isinstance(detail, list):
        return "; ".join(
            f"{'.'.join(str(part) for part in each.get('loc', ()))}: {each.get('msg')}"
            for each in detail
        )
    if isinstance(detail, dict):
        return str(detail.get("reason") or detail)
    return str(detail)
