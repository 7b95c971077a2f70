"""Messages that really leave: a mail server and an HTTP receiver on the loopback address."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from dags.batch import notify
from dags.batch.controller import BatchController
from dags.batch.notify import Message, NotifyFailed, NotifySettings, masked, run_message, send
from tests.dags.batch.market import add_execution, add_stock
from tests.dags.conftest import BatchDatabase, free_port
from tests.dags.mailbox import mailbox

pytestmark = [pytest.mark.airflow, pytest.mark.integration]

MESSAGE = Message("paused", "paused 1", "batch_1 is paused", "Why: **503**")


class Receiver:
    """What was posted, and the answer that is given."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *values: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An HTTP server that takes messages."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def settings(*urls: str) -> NotifySettings:
    """Settings with these URLs."""
    return NotifySettings(notify_urls=SecretStr(", ".join(urls)))


def test_http(receiver: Receiver) -> None:
    """Title, text and kind arrive."""
    assert send(MESSAGE, [receiver.url]) == 1
    (body,) = receiver.bodies
    assert (body["title"], body["type"]) == ("batch_1 is paused", "warning")
    assert "503" in body["message"]


def test_mail() -> None:
    """A real mail with subject and text."""
    with mailbox() as box:
        assert send(MESSAGE, [box.url]) == 1
    (mail,) = box.mails
    assert mail["Subject"] == "batch_1 is paused"
    assert "<strong>503</strong>" in str(mail)


def test_what_does_not_arrive_is_an_error_without_secrets(receiver: Receiver) -> None:
    """All URLs are tried; the error names the kind of URL only."""
    receiver.status = 500
    urls = [receiver.url, f"json://user:secret@127.0.0.1:{free_port()}/", "nonsense://token"]
    with pytest.raises(NotifyFailed) as caught:
        send(MESSAGE, urls)
    assert len(receiver.bodies) == 1
    assert str(caught.value).count("json://… did not take") == 2
    assert "nonsense://… is no URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_urls_are_split_where_a_new_one_begins() -> None:
    """Mail addresses in one URL have commas too."""
    text = "mailto://h?to=a@x.jp,b@x.jp, json://h/x slack://t"
    assert settings(text).urls == ["mailto://h?to=a@x.jp,b@x.jp", "json://h/x", "slack://t"]
    assert "slack" not in repr(settings(text))
    assert masked("secret") == "…"


def test_a_message_leaves_once(database: BatchDatabase, receiver: Receiver) -> None:
    """After a failure it leaves when tried again, and never after that."""
    connection, urls = database.connection, settings(receiver.url)
    receiver.status = 500
    with pytest.raises(NotifyFailed):
        notify.send_once(connection, MESSAGE, None, urls)
    receiver.status = 200
    assert notify.send_once(connection, MESSAGE, None, urls) == "told 1"
    assert notify.send_once(connection, MESSAGE, None, urls) == "told before"
    assert len(receiver.bodies) == 2
    other = MESSAGE._replace(key="paused 2")
    assert notify.send_once(connection, other, None, urls) == "told 1"


def test_nobody_to_tell_is_no_error(database: BatchDatabase) -> None:
    """Without URLs the message is logged."""
    assert notify.send_once(database.connection, MESSAGE, None, settings()) == "nobody to tell"


def test_a_pause_by_the_breaker_is_told_once_a_pause(
    database: BatchDatabase, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten tasks see it, one message leaves; a person's pause is no news to people."""
    monkeypatch.setenv("BATCH_NOTIFY_URLS", receiver.url)
    add_stock(database.connection, "7203")
    execution = add_execution(database.connection, ["7203"])
    controller = BatchController(database.connection)
    for by, answers in (
        ("ada", ["paused by a person"]),
        ("breaker", ["told 1", "told before"]),
        ("breaker", ["told 1"]),
    ):
        controller.pause(execution, by=by, reason="5 refusals in a row")
        assert [notify.tell_pause(database.connection, execution) for _ in answers] == answers
        controller.resume(execution, by="ada")
    titles = [body["title"] for body in receiver.bodies]
    assert titles == ["batch_1 is paused: the source refuses us"] * 2
    assert "5 refusals in a row" in receiver.bodies[0]["message"]
    assert "resume batch_1" in receiver.bodies[0]["message"]


def test_a_pause_that_cannot_be_told_does_not_hurt(
    database: BatchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task has to wait for the end of the pause all the same."""
    monkeypatch.setenv("BATCH_NOTIFY_URLS", f"json://127.0.0.1:{free_port()}/")
    add_stock(database.connection, "7203")
    execution = add_execution(database.connection, ["7203"])
    BatchController(database.connection).pause(execution, by="breaker", reason="x")
    assert notify.tell_pause(database.connection, execution) == "not told"


def test_the_end_of_a_run() -> None:
    """Failed tasks are named; each attempt has its own message."""
    counts = {"successful": 3, "total": 4}
    report = {"batch": {"label": "batch_1", "status": "completed"}, "counts": counts}
    done = run_message("run", 0, [], report, "# batch_1")
    assert (done.kind, done.title) == ("completed", "batch_1 completed: 3 of 4 stocks")
    assert "# batch_1" in done.body
    failed = run_message("run", 1, ["fetch (2)"], report, None)
    assert (failed.kind, failed.title) == ("failed", "batch_1 failed: 3 of 4 stocks")
    assert "fetch (2)" in failed.body
    assert failed.key != run_message("run", 2, ["fetch (2)"], report, None).key
    assert run_message("run", 0, ["plan"], None, None).title == "run failed"
    stopped = {**report, "batch": {"label": "batch_1", "status": "stopped"}}
    assert run_message("run", 0, ["fetch"], stopped, None).title.startswith("batch_1 stopped")
