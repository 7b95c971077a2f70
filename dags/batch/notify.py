"""Tells people by mail, Slack and so on (apprise): a run completed, failed, or was paused by the
breaker. Each message leaves once, however often a task is tried."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dags.batch.config import ROOT
from dags.batch.errors import BatchError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

LOG = logging.getLogger(__name__)
KINDS = {"completed": "success", "failed": "failure", "paused": "warning"}
"""Kind of message → apprise's type of it."""


class NotifySettings(BaseSettings):
    """Environment variable `BATCH_NOTIFY_URLS`."""

    model_config = SettingsConfigDict(
        env_prefix="BATCH_", env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore"
    )

    notify_urls: SecretStr = SecretStr("")
    """apprise's URLs with spaces or commas between: `mailto://…`, `slack://…`, `json://…`."""

    @property
    def urls(self) -> list[str]:
        """One by one; a comma inside a URL stays where no new URL begins after it."""
        text = self.notify_urls.get_secret_value()
        return [part for part in re.split(r"\s+|,(?=\s*[a-z]+s?://)", text) if part]


class NotifyFailed(BatchError):
    """A message did not leave."""


class Message(NamedTuple):
    """What is sent."""

    kind: str
    """One of KINDS."""
    key: str
    """The same message is sent once."""
    title: str
    body: str
    """Markdown."""


def send(message: Message, urls: list[str]) -> int:
    """Send to all `urls`; give their number. NotifyFailed names those that did not take it."""
    import apprise

    failed = []
    for url in urls:
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if service is None:
            failed.append(f"{masked(url)} is no URL that apprise knows")
        elif not service.notify(
            body=message.body,
            title=message.title,
            notify_type=apprise.NotifyType(KINDS[message.kind]),
            body_format=apprise.NotifyFormat.MARKDOWN,
        ):
            failed.append(f"{masked(url)} did not take the message")
    if failed:
        raise NotifyFailed("; ".join(failed) + ": see to BATCH_NOTIFY_URLS")
    return len(urls)


def masked(url: str) -> str:
    """The URL's kind only: all the rest may be a secret."""
    return url.split("://", 1)[0] + "://…" if "://" in url else "…"


def send_once(
    connection: "Connection",
    message: Message,
    execution_id: int | None = None,
    settings: NotifySettings | None = None,
) -> str:
    """Send the message unless one with its key has left; say in a few words what happened.

    Without URLs it is logged, which is no error. Commits. NotifyFailed: it may be tried again.
    """
    urls = (settings or NotifySettings()).urls
    if not urls:
        LOG.info("no BATCH_NOTIFY_URLS, so nobody is told: %s", message.title)
        return "nobody to tell"
    with connection, connection.cursor() as cursor:
        # Held until the message has left: whoever comes second finds its event.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"notify {message.key}",))
        cursor.execute(
            "SELECT 1 FROM batch_events WHERE action = 'notified' AND error_message = %s"
            " AND batch_execution_id IS NOT DISTINCT FROM %s",
            (message.key, execution_id),
        )
        if cursor.fetchone():
            return "told before"
        sent = send(message, urls)
        cursor.execute(
            "INSERT INTO batch_events (batch_execution_id, action, status, error_message)"
            " VALUES (%s, 'notified', %s, %s)",
            (execution_id, message.kind, message.key),
        )
    LOG.info("told %d receivers: %s", sent, message.title)
    return f"told {sent}"


def pause_message(connection: "Connection", execution_id: int) -> Message | None:
    """The message about the newest pause; None where a person paused: they know."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT events.id, worker_id, events.error_message, label FROM batch_events AS events"
            " INNER JOIN batch_executions ON batch_executions.id = batch_execution_id"
            " WHERE batch_execution_id = %s AND action = 'paused' ORDER BY events.id DESC LIMIT 1",
            (execution_id,),
        )
        row = cursor.fetchone()
    if row is None or row[1] != BREAKER:
        return None
    event, _, reason, label = row
    return Message(
        "paused",
        f"paused {event}",
        f"{label} is paused: the source refuses us",
        f"{reason}\n\nNothing is lost. When the cause is gone, resume it on the batch page or with "
        f"`python -m dags.batch resume {label}`.",
    )


BREAKER = "breaker"
"""Who pauses when the source refuses us."""


def tell_pause(connection: "Connection", execution_id: int) -> str:
    """Tell of a pause by the breaker. A message that does not leave is logged, not raised: the
    task that tells has more important things to do."""
    message = pause_message(connection, execution_id)
    if message is None:
        return "paused by a person"
    try:
        return send_once(connection, message, execution_id)
    except NotifyFailed as error:
        LOG.error("nobody was told of the pause: %s", error)
        return "not told"


def run_message(
    run_id: str,
    attempt: int,
    failed: Sequence[str],
    report: Mapping[str, Any] | None,
    text: str | None,
) -> Message:
    """The message at the end of a run.

    `failed` are its failed tasks; `attempt` counts how often the run was cleared, each has its own
    message; `report` and its `text` in Markdown are missing where the run had no execution.
    """
    kind = "failed" if failed else "completed"
    title = f"{run_id} {kind}"
    if report:
        batch, counts = report["batch"], report["counts"]
        # A stop is a person's will, but the run is red all the same.
        state = "stopped" if batch["status"] == "stopped" else kind
        title = f"{batch['label']} {state}: {counts['successful']} of {counts['total']} stocks"
    body = f"Run {run_id}"
    if failed:
        body += f"\n\nFailed tasks: {', '.join(failed)}. Their logs say why and what to do."
    if text:
        body += f"\n\n{text}"
    return Message(kind, f"{kind} {run_id} {attempt}", title, body)


def on_dag_failure(context: Any) -> None:
    """Airflow's callback: a run that failed where its task `notify` could not tell anybody.

    Runs in Airflow's DAG processor, so it may neither raise nor take long.
    """
    from dags.batch.database import connect

    run = context["dag_run"]
    reason = context.get("reason") or "failed"
    message = run_message(run.run_id, run.clear_number or 0, [str(reason)], None, None)
    try:
        connection = connect()
        try:
            send_once(connection, message, execution_of_run(connection, run.run_id))
        finally:
            connection.close()
    except BatchError as error:
        LOG.error("nobody was told that %s failed: %s", run.run_id, error)


def execution_of_run(connection: "Connection", run_id: str) -> int | None:
    """Id of the newest execution of a run."""
    with connection, connection.cursor() as cursor:
        return newest_execution(cursor, run_id)


def newest_execution(cursor: "Cursor", run_id: str) -> int | None:
    """Id of the newest execution of a run, which may have had several."""
    cursor.execute(
        "SELECT max(id) FROM batch_executions"
        " WHERE (run_id = %s OR starts_with(run_id, %s)) AND run_id NOT LIKE '%%:refill'",
        (run_id, f"{run_id}#"),
    )
    row = cursor.fetchone()
    return row[0] if row else None
