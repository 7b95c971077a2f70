"""What the page asks: an application below /batch of Airflow's API server.

Everything that reads the database is a plain function, which FastAPI runs in a thread.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import psycopg2
from airflow.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, status
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from psycopg2.extensions import connection as Connection
from pydantic import BaseModel, ConfigDict, Field

from dags.batch import actions, metrics, view
from dags.batch.actions import Done
from dags.batch.airflow_api import DEFAULT_URL, AirflowApi, AirflowError
from dags.batch.database import connect
from dags.batch.errors import BatchError, DatabaseUnavailable, ForbiddenTransition, UnknownBatch
from dags.batch.models import Mode
from dags.batch.progress import ProgressManager
from dags.batch.request import BadRequest, code_of, parse
from dags.plugins.batch_page import sockets
from dags.plugins.batch_page.access import Operator, Reader, may, reader, scraper, token_of

STATIC = Path(__file__).parent / "static"
MEDIA = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FILES = {path.name: path for path in STATIC.iterdir() if path.suffix in MEDIA}
HEADERS = {
    # Nothing but what this server sends; nobody but Airflow's own pages may frame it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
MAX_SYMBOLS = 5000

app = FastAPI(title="Batch", docs_url=None, redoc_url=None, openapi_url=None)
app.include_router(sockets.router)


class StartRequest(BaseModel):
    """What to fetch. Codes as 7203, 130A or 7203.T."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode = Mode.DIFFERENTIAL
    symbols: list[str] = Field(default_factory=list, max_length=MAX_SYMBOLS)

    def conf(self) -> dict[str, Any]:
        """The run's params. BadRequest if they make no sense together."""
        symbols = list(dict.fromkeys(code_of(each) for each in self.symbols if each.strip()))
        given: dict[str, Any] = {"mode": self.mode.value}
        if symbols:
            given["symbols"] = symbols
        parse(given, backfill=False, session=datetime.now(UTC).date())
        return given


def database() -> Iterator[Connection]:
    """A connection for one request."""
    with closing(connect(autocommit=True)) as connection:
        yield connection


Database = Annotated[Connection, Depends(database)]
Before = Annotated[int | None, Query(ge=1)]


def caller(request: Request) -> actions.Airflow:
    """Airflow's interface with the caller's own token: its rights count there as well."""
    token = token_of(request) or ""
    return lambda: AirflowApi(airflow_url(), token)


Airflow = Annotated[actions.Airflow, Depends(caller)]


def airflow_url() -> str:
    """This API server's own address. Not the request's Host: a token would go there."""
    if url := os.environ.get("AIRFLOW_URL"):
        return url
    host, port = conf.get("api", "host", fallback=""), conf.get("api", "port", fallback="")
    if host and port and not conf.get("api", "ssl_cert", fallback=""):
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    return str(conf.get("api", "base_url", fallback="") or DEFAULT_URL)


@app.get("/page", dependencies=[Depends(reader)])
def page() -> Response:
    """The page itself."""
    return static("page.html")


@app.get("/static/{name}", dependencies=[Depends(reader)])
def static(name: str) -> Response:
    """A file of the page."""
    if name not in FILES:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such file.")
    path = FILES[name]
    return FileResponse(path, media_type=MEDIA[path.suffix], headers=HEADERS)


@app.get("/metrics", dependencies=[Depends(scraper)])
def prometheus(connection: Database) -> Response:
    """Figures of the newest batch and of its workers on this host, as Prometheus reads them."""
    return PlainTextResponse(metrics.render(connection), media_type=metrics.CONTENT_TYPE)


@app.get("/api/me")
def me(user: Reader) -> dict[str, Any]:
    """Who looks, and whether the buttons are for them."""
    return {"user": user.get_name(), "may_control": may(user, "POST")}


@app.get("/api/executions", dependencies=[Depends(reader)])
def executions(connection: Database, before: Before = None) -> dict[str, Any]:
    """Executions, newest first; `before` is the id of the last one of the page before."""
    found = view.executions(connection, before)
    return {"executions": found, "more": len(found) == view.LIST_LIMIT}


@app.get("/api/executions/{batch}", dependencies=[Depends(reader)])
def execution(batch: str, connection: Database) -> dict[str, Any]:
    """One execution in full, and its progress as the socket sends it."""
    number = actions.find(connection, batch).id
    progress = ProgressManager(connection).snapshot(number)
    return {**view.execution(connection, number), "progress": progress}


@app.get("/api/executions/{batch}/failed", dependencies=[Depends(reader)])
def failed(batch: str, connection: Database) -> list[dict[str, Any]]:
    """Its failed stocks."""
    return view.failed_stocks(connection, actions.find(connection, batch).id)


@app.get("/api/executions/{batch}/findings", dependencies=[Depends(reader)])
def findings(batch: str, connection: Database) -> dict[str, Any]:
    """What the checks found in its data."""
    return view.findings(connection, actions.find(connection, batch).id)


@app.get("/api/executions/{batch}/events", dependencies=[Depends(reader)])
def events(batch: str, connection: Database, before: Before = None) -> list[dict[str, Any]]:
    """Its log lines, newest first."""
    return view.events(connection, actions.find(connection, batch).id, before)


@app.get("/api/runs/{run_id:path}", dependencies=[Depends(reader)])
def run(run_id: str, connection: Database, airflow: Airflow) -> dict[str, Any]:
    """State of an Airflow run, and its execution once there is one."""
    number = view.newest(connection, run_id)
    return {"execution": number, "state": airflow().run_state(run_id)}


@app.post("/api/executions", status_code=status.HTTP_202_ACCEPTED)
def start(wanted: StartRequest, user: Operator, airflow: Airflow) -> dict[str, Any]:
    """Start a batch."""
    return _told(actions.start(airflow, wanted.conf()))


@app.post("/api/executions/{batch}/pause")
def pause(batch: str, user: Operator, connection: Database) -> dict[str, Any]:
    """Pause it."""
    return _told(actions.pause(connection, batch, user.get_name()))


@app.post("/api/executions/{batch}/stop")
def stop(batch: str, user: Operator, connection: Database) -> dict[str, Any]:
    """Stop it."""
    return _told(actions.stop(connection, batch, user.get_name()))


@app.post("/api/executions/{batch}/resume")
def resume(batch: str, user: Operator, connection: Database, airflow: Airflow) -> dict[str, Any]:
    """Go on with it."""
    return _told(actions.resume(connection, batch, user.get_name(), airflow))


@app.post("/api/executions/{batch}/retry-failed", status_code=status.HTTP_202_ACCEPTED)
def retry_failed(
    batch: str, user: Operator, connection: Database, airflow: Airflow
) -> dict[str, Any]:
    """Start a batch of its failed stocks."""
    return _told(actions.retry_failed(connection, batch, airflow))


def _told(done: Done) -> dict[str, Any]:
    label = done.execution.label if done.execution else None
    return {"message": done.text, "batch": label, "run_id": done.run_id}


@app.exception_handler(BatchError)
@app.exception_handler(BadRequest)
@app.exception_handler(AirflowError)
@app.exception_handler(psycopg2.Error)
def explain(_: Request, error: Exception) -> JSONResponse:
    """Foreseen errors: their text names the remedy."""
    text = str(error).strip().replace("\n\t", " ")
    if isinstance(error, psycopg2.errors.UndefinedTable):
        text = "The batch's tables are not there: `python -m dags.batch migrate` makes them."
    elif isinstance(error, DatabaseUnavailable):
        text = f"The database does not answer, this page goes on by itself when it does. {text}"
    elif isinstance(error, psycopg2.Error):
        text = f"The database is gone ({text}): start it (`make up`); this page goes on by itself."
    return JSONResponse({"detail": text}, _status(error), headers={"Cache-Control": "no-store"})


def _status(error: Exception) -> int:
    if isinstance(error, BadRequest):
        return status.HTTP_400_BAD_REQUEST
    if isinstance(error, UnknownBatch):
        return status.HTTP_404_NOT_FOUND
    if isinstance(error, ForbiddenTransition):
        return status.HTTP_409_CONFLICT
    if isinstance(error, AirflowError):
        # What Airflow says of the caller's request is the answer to it, all else is a bad gateway.
        return error.status if error.status in (400, 401, 403, 404) else 502
    unavailable = isinstance(error, DatabaseUnavailable | psycopg2.Error)
    return status.HTTP_503_SERVICE_UNAVAILABLE if unavailable else 500
