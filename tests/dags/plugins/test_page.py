"""The page's addresses: who may ask them, what they answer, and what they say when they cannot."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dags.batch.controller import BatchController
from dags.batch.engine import BatchEngine
from dags.batch.executions import Execution
from dags.batch.models import Mode
from tests.dags.conftest import BatchDatabase
from tests.dags.plugins.conftest import Tokens

pytestmark = [pytest.mark.airflow, pytest.mark.integration]

ORIGIN = "http://testserver"
STATIC = Path(__file__).parents[3] / "dags/plugins/batch_page/static"


class Browser:
    """A browser with a login cookie on a page of its own host."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str, token: str = "") -> Any:
        """GET with the cookie."""
        return self.client.get(path, headers=cookie(token))

    def post(
        self, path: str, token: str = "", origin: str | None = ORIGIN, body: Any = None
    ) -> Any:
        """POST with the cookie and the page's origin."""
        headers = cookie(token) | ({"Origin": origin} if origin else {})
        return self.client.post(path, headers=headers, json=body)


def cookie(token: str) -> dict[str, str]:
    """The header that a browser sends once it is logged in."""
    return {"Cookie": f"_token={token}"} if token else {}


@pytest.fixture
def browser(database: BatchDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A browser before the application, on a database of its own."""
    from dags.plugins.batch_page.app import app

    # Nothing listens there: what needs Airflow's own interface must say so.
    monkeypatch.setenv("AIRFLOW_URL", "http://127.0.0.1:9")
    with TestClient(app, client=("10.0.0.7", 50000)) as client:
        yield Browser(client)


@pytest.fixture
def batch(database: BatchDatabase) -> Execution:
    """An execution of three stocks on which nobody works."""
    engine = BatchEngine()
    made = engine.start_batch(["7203", "6758", "130A"], mode=Mode.SYMBOLS)
    return engine.find(made)


def test_nothing_is_shown_without_a_login(browser: Browser, tokens: Tokens) -> None:
    """Page, files, figures and every list answer 401, and say no word of what they hold."""
    paths = ["/page", "/static/page.js", "/metrics", "/api/me", "/api/executions"]
    paths += [f"/api/executions/1{rest}" for rest in ("", "/failed", "/findings", "/events")]
    assert {path: browser.get(path).status_code for path in paths} == dict.fromkeys(paths, 401)


def test_every_route_asks_for_a_user() -> None:
    """No route of the application is left open, whichever is added."""
    from dags.plugins.batch_page.access import operator, reader, scraper
    from dags.plugins.batch_page.app import app

    for route in app.routes:
        if not hasattr(route, "dependant") or route.path == "/ws/progress":
            continue
        asked = {each.call for each in route.dependant.dependencies}
        wanted = {operator} if "POST" in route.methods else {reader, scraper}
        assert asked & wanted, f"{route.path} asks for nobody"


def test_viewer_looks_and_may_not_touch(browser: Browser, tokens: Tokens, batch: Execution) -> None:
    """A viewer reads everything; each order is refused and changes nothing."""
    assert browser.get("/api/me", tokens.viewer).json() == {"user": "vera", "may_control": False}
    assert browser.get(f"/api/executions/{batch.uuid}", tokens.viewer).status_code == 200
    for order in ("pause", "stop", "resume", "retry-failed"):
        answer = browser.post(f"/api/executions/{batch.uuid}/{order}", tokens.viewer)
        assert answer.status_code == 403
    assert browser.post("/api/executions", tokens.viewer, body={}).status_code == 403
    assert browser.get("/api/executions", tokens.viewer).json()["executions"][0]["status"] == (
        "running"
    )


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://testserver.evil"])
def test_order_from_a_foreign_page_is_refused(
    browser: Browser, tokens: Tokens, batch: Execution, origin: str | None
) -> None:
    """The cookie comes with it, since browsers send it; the origin betrays it."""
    answer = browser.post(f"/api/executions/{batch.uuid}/stop", tokens.admin, origin)
    assert answer.status_code == 403
    assert "did not come from a page of this Airflow" in answer.json()["detail"]


def test_pause_and_resume_are_done_and_logged_with_the_users_name(
    browser: Browser, tokens: Tokens, batch: Execution, database: BatchDatabase
) -> None:
    """Whatever name the batch is given by; events tell who it was."""
    assert browser.post(f"/api/executions/{batch.label}/pause", tokens.admin).status_code == 200
    assert BatchController(database.connection).find(batch.id).status == "paused"
    assert browser.post(f"/api/executions/{batch.id}/resume", tokens.admin).status_code == 200
    events = browser.get("/api/executions/last/events", tokens.viewer).json()
    by_people = [(each["action"], each["worker_id"]) for each in events][:2]
    assert by_people == [("resumed", "ada"), ("paused", "ada")]


def test_order_that_makes_no_sense_names_the_remedy(
    browser: Browser, tokens: Tokens, batch: Execution
) -> None:
    """409 for a retry of what still runs; 404 for a batch that is not there."""
    answer = browser.post(f"/api/executions/{batch.id}/retry-failed", tokens.admin)
    assert (answer.status_code, "when it has ended" in answer.json()["detail"]) == (409, True)
    answer = browser.post("/api/executions/batch_20000101_000000/pause", tokens.admin)
    assert (answer.status_code, "no execution is called" in answer.json()["detail"]) == (404, True)


def test_batch_that_airflow_did_not_start_is_resumed_with_the_next_step(
    browser: Browser, tokens: Tokens, batch: Execution
) -> None:
    """After a stop somebody must start a worker: the answer says how."""
    browser.post(f"/api/executions/{batch.id}/stop", tokens.admin)
    answer = browser.post(f"/api/executions/{batch.id}/resume", tokens.admin).json()
    assert f"python -m dags.batch work {batch.label}" in answer["message"]


def test_start_checks_what_it_is_asked_for(browser: Browser, tokens: Tokens) -> None:
    """Codes that are none, and fields that do not exist, never reach Airflow."""
    answer = browser.post(
        "/api/executions", tokens.admin, body={"mode": "symbols", "symbols": ["to yota"]}
    )
    assert (answer.status_code, "are no codes" in answer.json()["detail"]) == (400, True)
    answer = browser.post("/api/executions", tokens.admin, body={"mode": "full", "sql": "x"})
    assert answer.status_code == 422


def test_airflow_that_does_not_answer_is_told(browser: Browser, tokens: Tokens) -> None:
    """A start needs Airflow's interface; without it the answer names the remedy."""
    answer = browser.post("/api/executions", tokens.admin, body={"mode": "full"})
    assert answer.status_code == 502
    assert "make up" in answer.json()["detail"]


def test_before_the_first_batch_there_is_nothing_and_no_error(
    browser: Browser, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch makes the tables; whoever asks for one by name hears how to make them."""
    monkeypatch.setenv("BATCH_SCHEMA", "nobody_made_this")
    found = browser.get("/api/executions", tokens.viewer)
    assert found.json() == {"executions": [], "more": False}
    assert browser.get("/metrics", tokens.viewer).status_code == 200
    answer = browser.get("/api/executions/1", tokens.viewer)
    assert answer.status_code == 503
    assert "python -m dags.batch migrate" in answer.json()["detail"]


def test_lost_database_is_told(
    browser: Browser, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with the remedy; the login still works, it is another database."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://market@127.0.0.1:9/market")
    answer = browser.get("/api/executions", tokens.viewer)
    assert answer.status_code == 503
    assert "make up" in answer.json()["detail"]


def test_figures_are_for_this_host_or_for_the_bearer(
    browser: Browser, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token set it alone opens; without one only a caller on this host, and no proxy."""
    from dags.plugins.batch_page.app import app

    here = TestClient(app, client=("127.0.0.1", 50000))
    assert here.get("/metrics").status_code == 200
    assert here.get("/metrics", headers={"X-Forwarded-For": "10.0.0.7"}).status_code == 401
    monkeypatch.setenv("BATCH_METRICS_TOKEN", "scrape")
    assert here.get("/metrics").status_code == 401
    answer = browser.client.get("/metrics", headers={"Authorization": "Bearer scrape"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_page_takes_nothing_from_elsewhere(browser: Browser, tokens: Tokens) -> None:
    """The browser is told so, and no file of the page tries."""
    policy = browser.get("/page", tokens.viewer).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for file in STATIC.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacent|eval\(", text), file


def test_files_outside_the_page_are_not_sent(browser: Browser, tokens: Tokens) -> None:
    """Names are looked up in a list, not on the disk."""
    for name in ("..%2Fapp.py", "app.py", "%2e%2e/access.py"):
        assert browser.get(f"/static/{name}", tokens.admin).status_code == 404


def test_socket_tells_the_state_and_then_each_change(
    browser: Browser, tokens: Tokens, batch: Execution, database: BatchDatabase
) -> None:
    """First the state of now; a pause by anybody, anywhere, arrives by itself."""
    headers = {**cookie(tokens.viewer), "Origin": ORIGIN}
    with browser.client.websocket_connect("/ws/progress", headers=headers) as socket:
        first = socket.receive_json()
        assert first["batch_id"] == batch.uuid
        assert first["status"] == "running"
        assert first["progress"] == {
            "total": 3,
            "processed": 0,
            "successful": 0,
            "failed": 0,
            "percentage": 0.0,
        }
        assert first["estimated_completion"] is None
        BatchController(database.connection).pause(batch.id, "bob")
        while (told := socket.receive_json())["status"] == "running":
            pass
        assert told["status"] == "paused"


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}])
def test_socket_from_a_foreign_page_is_refused(
    browser: Browser, tokens: Tokens, headers: dict[str, str]
) -> None:
    """With the right cookie, but not from here."""
    with (
        pytest.raises(WebSocketDisconnect),
        browser.client.websocket_connect(
            "/ws/progress", headers={**cookie(tokens.admin), **headers}
        ),
    ):
        pass


def test_socket_without_a_login_is_refused(browser: Browser, tokens: Tokens) -> None:
    """From a page of our own, but nobody is logged in; nor with a token that is none."""
    for login in ({}, cookie("no.real.token"), {"Authorization": "Bearer no.real.token"}):
        with (
            pytest.raises(WebSocketDisconnect),
            browser.client.websocket_connect("/ws/progress", headers={**login, "Origin": ORIGIN}),
        ):
            pass


def test_socket_of_an_unknown_batch_ends_with_the_reason(browser: Browser, tokens: Tokens) -> None:
    """The close frame says what is wrong."""
    headers = {"Authorization": f"Bearer {tokens.viewer}"}
    with browser.client.websocket_connect("/ws/progress?batch=77", headers=headers) as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert "no execution is called" in closed.value.reason
