"""Kafka -> one-minute bars -> Kafka, through the runner against the same SQL written by hand.

    python -m tests.benchmarks.bars --trades 10000000

Both read the same topic to its end, on the running stack (`make up`), one after the other, several
rounds. The hand-written file (bars.sql beside this one) has the same SELECT and no companion for
late rows, no guard of times and no revision. Counted is the run phase: from the moment when all
tasks run until the job has finished. Deployment (client, planner, scheduling) is told apart.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from flink_jobs.cluster import ENDED, Cluster
from flink_jobs.settings import ROOT, Settings
from flink_jobs.submit import command

HAND = Path(__file__).with_suffix(".sql")
START = 1_772_000_000_000_000
VENUES = ("binance", "coinbase")
SYMBOLS = tuple(f"C{number:02d}-USDT" for number in range(10))
RECORD = (
    '{"event_type":"trade","exchange":"%s","symbol":"%s","native_symbol":"%s","ts_event":%d,'
    '"ts_recv":%d,"source":"%s-1","ts_source":"venue","schema_version":1,"trade_id":"%d",'
    '"trade_seq":%d,"price":"%d.%02d","size":"0.%06d","side":"%s"}'
)


def publish(servers: str, topic: str, trades: int) -> float:
    """Make the topic and fill it: two venues, twenty markets, 2,000 trades a second; seconds."""
    admin = AdminClient({"bootstrap.servers": servers})
    config = {"retention.ms": "-1", "retention.bytes": "-1"}
    for made in admin.create_topics([NewTopic(topic, 2, 1, config=config)]).values():
        made.result()
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 20,
            "compression.type": "lz4",
            "batch.size": 131_072,
            "queue.buffering.max.messages": 200_000,
        }
    )
    began = time.monotonic()
    for number in range(trades):
        place = number & 1
        send(producer, topic, place, record(number, VENUES[place]), START // 1000 + number // 2)
    producer.flush()
    return time.monotonic() - began


def record(number: int, venue: str) -> bytes:
    """One trade; what looks random follows from its number."""
    symbol = SYMBOLS[(number >> 1) % len(SYMBOLS)]
    mixed = number * 2_654_435_761 & 0xFFFFFFFF
    at = START + number * 500
    text = RECORD % (
        *(venue, symbol, symbol.replace("-", ""), at, at + 1500, venue, number, number),
        *(60_000 + mixed % 977, mixed % 100, mixed % 1_000_000, "sell" if mixed & 1 else "buy"),
    )
    return text.encode()


def send(producer: Producer, topic: str, partition: int, value: bytes, millis: int) -> None:
    """Queue one record; wait where the queue is full."""
    while True:
        try:
            producer.produce(topic, value, partition=partition, timestamp=millis)
            return
        except BufferError:
            producer.poll(0.05)


def submit_ours(settings: Settings, prefix: str, folder: Path) -> str:
    """Submit the model bars_1m alone, to Kafka alone, through the runner; the job's id."""
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql, dirs_exist_ok=True)
    model = sql / "windows/bars_1m.sql"
    model.write_text(model.read_text().replace("kafka, postgres", "kafka"))
    jobs = (sql / "jobs.toml").read_text()
    (sql / "jobs.toml").write_text(
        jobs + '\n[jobs.bench]\nmodels = ["windows/bars_1m"]\nparallelism = 2\n'
    )
    values = [f"TOPIC_PREFIX={prefix}", "BOUNDED=latest-offset"]
    arguments = ["--job", "bench", *(part for value in values for part in ("--set", value))]
    environment = {**settings.flink_environment(), "MARKET_STREAMS_SQL": str(sql)}
    output = _call(command(settings, arguments), environment)
    return next(json.loads(line)["id"] for line in output if line.startswith('{"job"'))


def submit_hand(settings: Settings, servers: str, prefix: str, folder: Path) -> str:
    """Submit the hand-written file with Flink's SQL client; the job's id."""
    text = HAND.read_text().replace("<servers>", servers).replace("<prefix>", prefix)
    script = folder / "bars.sql"
    script.write_text(text)
    environment = settings.flink_environment()
    client = Path(environment["FLINK_HOME"]) / "bin/sql-client.sh"
    output = _call([str(client), "-f", str(script)], environment)
    return next(line.split()[-1] for line in output if line.startswith("Job ID:"))


def _call(arguments: list[str], environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        arguments, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout.splitlines()


def run_seconds(cluster: Cluster, identity: str) -> float:
    """Wait for the end of a job; seconds from its last task's start to its end."""
    while True:
        job = cluster.get(f"/jobs/{identity}")
        if job["state"] in ENDED:
            break
        time.sleep(0.2)
    if job["state"] != "FINISHED":
        raise RuntimeError(f"job {job['name']} ended {job['state']}")
    started = max(
        task["timestamps"]["RUNNING"]
        for vertex in job["vertices"]
        for task in cluster.get(f"/jobs/{identity}/vertices/{vertex['id']}/subtasktimes")[
            "subtasks"
        ]
    )
    return float(job["timestamps"]["FINISHED"] - started) / 1000


def run(trades: int = 10_000_000, rounds: int = 3) -> dict[str, Any]:
    """Events a second of both in the run phase, their ratio, seconds of deployment.

    Medians over the rounds, in which the two take turns.
    """
    settings = Settings()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:19092")
    cluster = Cluster(settings.flink_rest_url)
    prefix = f"bench{os.getpid()}."
    topics = [f"{prefix}{name}" for name in ("market.trades", "hand.bars_1m", "analytics.bars_1m")]
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "hand": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_seconds = publish(servers, topics[0], trades)
        admin = AdminClient({"bootstrap.servers": servers})
        next(iter(admin.create_topics([NewTopic(topics[1], 1, 1)]).values())).result()
        for _ in range(rounds):
            for kind in found:
                began = time.time()
                if kind == "ours":
                    identity = submit_ours(settings, prefix, folder)
                else:
                    identity = submit_hand(settings, servers, prefix, folder)
                seconds = run_seconds(cluster, identity)
                found[kind].append((trades / seconds, time.time() - began - seconds))
        admin.delete_topics([*topics, f"{prefix}market.late-events"])
    ours, hand = (statistics.median(r for r, _ in found[kind]) for kind in ("ours", "hand"))
    return {
        "trades": trades,
        "publish_seconds": round(publish_seconds, 1),
        "ours_events_per_second": round(ours),
        "hand_events_per_second": round(hand),
        "ratio": round(ours / hand, 3),
        "ours_all": [round(rate) for rate, _ in found["ours"]],
        "hand_all": [round(rate) for rate, _ in found["hand"]],
        "ours_deployment_seconds": round(statistics.median(s for _, s in found["ours"]), 1),
        "hand_deployment_seconds": round(statistics.median(s for _, s in found["hand"]), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(run(options.trades, options.rounds), indent=2))
