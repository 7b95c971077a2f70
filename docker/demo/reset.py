"""An empty place for each demo: its own topics and schema are dropped, nothing else is touched."""

import json
import time
import urllib.request

import psycopg2
from kafka import KafkaAdminClient
from psycopg2 import sql

from docker.local.settings import StackSettings

GONE_SECONDS = 30


def reset(stack: StackSettings, prefix: str, schema: str) -> None:
    """Cancel the jobs, delete the topics and drop the schema that an earlier demo left."""
    cancel_jobs(stack.flink_rest, prefix)
    delete_topics(stack.bootstrap, prefix)
    connection = psycopg2.connect(f"{stack.database_url}?passfile={stack.pgpass}")
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    connection.close()


def cancel_jobs(rest: str, prefix: str) -> None:
    """Cancel all running jobs whose name starts with the prefix."""
    with urllib.request.urlopen(f"{rest}/jobs/overview", timeout=10) as answer:
        jobs = json.load(answer)["jobs"]
    for job in jobs:
        if job["name"].startswith(prefix) and job["state"] in ("RUNNING", "RESTARTING", "CREATED"):
            url = f"{rest}/jobs/{job['jid']}?mode=cancel"
            urllib.request.urlopen(urllib.request.Request(url, method="PATCH"), timeout=10).close()


def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete all topics with the prefix and wait until they are gone."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        deadline = time.monotonic() + GONE_SECONDS
        while ours := [name for name in admin.list_topics() if name.startswith(prefix)]:
            admin.delete_topics(ours)
            if time.monotonic() > deadline:
                raise TimeoutError(f"topics are still there after {GONE_SECONDS} s: {ours}")
            time.sleep(0.2)
    finally:
        admin.close()
