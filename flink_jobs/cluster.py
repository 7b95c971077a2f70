"""Flink's REST interface, as far as jobs need it."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from flink_jobs.errors import JobError

ENDED = frozenset({"FAILED", "CANCELED", "FINISHED"})


class Cluster:
    """A Flink cluster behind its REST address, for example `http://127.0.0.1:18081`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def get(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """JSON answer of the REST interface. JobError if the cluster does not answer."""
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise JobError(f"Flink refuses {path}: {error.read().decode()[:500]}") from None
        except OSError as error:
            raise JobError(
                f"no Flink cluster at {self.url}: {error}\n"
                "  to do: start one (`make up`), or set FLINK_REST_URL"
            ) from None

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs that the cluster knows, newest first: jid, name, state, start-time …"""
        found = self.get("/jobs/overview")["jobs"]
        return sorted(found, key=lambda job: -int(job["start-time"]))

    def running(self, name: str) -> list[str]:
        """Ids of jobs of a name, or of an id, that have not ended."""
        return [
            str(job["jid"])
            for job in self.jobs()
            if name in (job["name"], job["jid"]) and job["state"] not in ENDED
        ]

    def cancel(self, identity: str, seconds: float = 30) -> None:
        """Cancel a job and wait until it has ended."""
        self.get(f"/jobs/{identity}?mode=cancel", "PATCH")
        self._wait(identity, seconds, lambda detail: detail["state"] in ENDED)

    def stop(self, identity: str, seconds: float = 120) -> str:
        """Stop a job with a savepoint; its address. JobError where that does not succeed."""
        asked = self.get(f"/jobs/{identity}/stop", "POST", {"drain": False})
        path = f"/jobs/{identity}/savepoints/{asked['request-id']}"
        deadline = time.monotonic() + seconds
        while True:
            answer = self.get(path)
            if answer["status"]["id"] == "COMPLETED":
                break
            if time.monotonic() > deadline:
                raise JobError(f"no savepoint of job {identity} within {seconds:g} s")
            time.sleep(0.2)
        cause = answer["operation"].get("failure-cause")
        if cause:
            raise JobError(f"no savepoint of job {identity}: {_last_cause(cause['stack-trace'])}")
        self._wait(identity, seconds, lambda detail: detail["state"] in ENDED)
        return str(answer["operation"]["location"])

    def version(self) -> str:
        """Flink's version."""
        return str(self.get("/overview")["flink-version"])

    def wait_running(self, identity: str, seconds: float = 60) -> None:
        """Wait until all tasks of a job run (or it has finished). JobError if it fails."""
        self._wait(identity, seconds, _runs)

    def _wait(self, identity: str, seconds: float, reached: Any) -> None:
        deadline = time.monotonic() + seconds
        while True:
            detail = self.get(f"/jobs/{identity}")
            if reached(detail):
                return
            if detail["state"] == "FAILED" or time.monotonic() > deadline:
                raise JobError(
                    f"job {detail['name']} is {detail['state']}: {self._reason(identity)}"
                )
            time.sleep(0.2)

    def _reason(self, identity: str) -> str:
        """The newest exception of a job, its last cause only."""
        answer = self.get(f"/jobs/{identity}/exceptions")
        entries = answer.get("exceptionHistory", {}).get("entries", [])
        return _last_cause(str(entries[0].get("stacktrace", "")) if entries else "")


def _runs(detail: dict[str, Any]) -> bool:
    states = {vertex["status"] for vertex in detail["vertices"]}
    return detail["state"] == "FINISHED" or (
        detail["state"] == "RUNNING" and states <= {"RUNNING", "FINISHED"}
    )


def _last_cause(stack: str) -> str:
    """The innermost cause of a Java stack."""
    causes = [line for line in stack.splitlines() if line.startswith("Caused by: ")]
    first = stack.splitlines()[:1]
    return (causes or first or ["no exception; too few free task slots?"])[-1]
