"""Airflow's REST interface: where it is, as whom, and what is said when it does not answer.

What it does once Airflow answers is tested on a real one, see tests/integration.
"""

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dags.batch.airflow_api import AirflowApi, AirflowError, load_access, log_in


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests counts."""
    for name in ("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD", "AIRFLOW_PASSWORDS"):
        monkeypatch.delenv(name, raising=False)


def test_password_comes_from_the_file_of_the_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user's own, admin's by default."""
    file = tmp_path / "passwords.json"
    file.write_text(json.dumps({"admin": "a", "viewer": "v"}))
    monkeypatch.setenv("AIRFLOW_PASSWORDS", str(file))
    assert load_access() == ("http://127.0.0.1:18080", "admin", "a")
    assert load_access("viewer").password == "v"
    with pytest.raises(AirflowError, match="no password for bob"):
        load_access("bob")


def test_missing_password_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No variable, no file, no JSON: what to do about each."""
    with pytest.raises(AirflowError, match="set AIRFLOW_PASSWORDS"):
        load_access()
    monkeypatch.setenv("AIRFLOW_PASSWORDS", str(tmp_path / "none.json"))
    with pytest.raises(AirflowError, match="make up"):
        load_access()
    (tmp_path / "none.json").write_text("[]")
    with pytest.raises(AirflowError, match="it must hold JSON"):
        load_access()


def test_nobody_on_the_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the address and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AIRFLOW_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AIRFLOW_PASSWORD", "x")
    with pytest.raises(AirflowError, match=rf"does not answer at .*:{port} .* `make up`"):
        log_in(load_access())


def test_address_without_http_is_refused() -> None:
    """A file or a bare host is no address of Airflow."""
    for url in ("127.0.0.1:18080", "file:///etc/passwd"):
        with pytest.raises(AirflowError, match="not an http address"):
            AirflowApi(url)


class Stranger(BaseHTTPRequestHandler):
    """Some other program's page."""

    def do_GET(self) -> None:
        """HTML for everything."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def test_another_program_on_the_port_is_not_taken_for_airflow() -> None:
    """It answers, but not as Airflow does."""
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(AirflowError, match="is not Airflow"):
            AirflowApi(f"http://127.0.0.1:{server.server_port}").is_paused()
