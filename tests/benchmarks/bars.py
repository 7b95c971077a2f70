"""Kafka -> one-minute bars -> Kafka, through the runner against SQL submitted by hand.

    python -m tests.benchmarks.bars --trades 10000000

- ``ours``: the model bars_1m, submitted by the runner;
- ``same``: the very SQL of it, as `render` prints it, submitted with Flink's SQL client;
- ``bare``: the file bars.sql beside this one: the same SELECT by hand with two readers of the
  topic, no companion for late rows, no guard of times, no revision: what the promises cost.

All read the same topic to its end, on the running stack (`make up`), in turns, several rounds.
Counted is the run phase: from the moment when all tasks run until the job has finished.
Deployment (client, planner, scheduling) is told apart.
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
from typing import Any, NamedTuple

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


class Bench(NamedTuple):
    """What the three ways of submitting share."""

    settings: Settings
    servers: str
    prefix: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Flink's, with the job of this benchmark."""
        flink = self.settings.flink_environment()
        return {**flink, "MARKET_STREAMS_SQL": str(self.folder / "sql")}

    @property
    def options(self) -> list[str]:
        """Variables of the job."""
        values = [f"TOPIC_PREFIX={self.prefix}", "BOUNDED=latest-offset"]
        return [part for value in values for part in ("--set", value)]

    def write_job(self) -> None:
        """A folder of SQL files with one more job: bars_1m alone, to Kafka alone."""
        sql = self.folder / "sql"
        shutil.copytree(ROOT / "sql", sql)
        model = sql / "windows/bars_1m.sql"
        model.write_text(model.read_text().replace("kafka, postgres", "kafka"))
        with (sql / "jobs.toml").open("a") as jobs:
            jobs.write('\n[jobs.bench]\nmodels = ["windows/bars_1m"]\nparallelism = 2\n')

    def ours(self) -> str:
        """Submit through the runner; the job's id."""
        arguments = command(self.settings, ["--job", "bench", *self.options])
        output = _call(arguments, self.environment)
        return next(json.loads(line)["id"] for line in output if line.startswith('{"job"'))

    def same(self) -> str:
        """Submit what `render` prints; the job's id."""
        python = Path(self.settings.flink_environment()["FLINK_HOME"]).parents[3] / "bin/python"
        words = [str(python), "-m", "flink_jobs", "render", *self.options, "bench"]
        return self._client("\n".join(_call(words, self.environment)))

    def bare(self) -> str:
        """Submit the hand-written file; the job's id."""
        text = HAND.read_text().replace("<servers>", self.servers)
        return self._client(text.replace("<prefix>", self.prefix))

    def _client(self, text: str) -> str:
        script = self.folder / "script.sql"
        script.write_text(text)
        client = Path(self.environment["FLINK_HOME"]) / "bin/sql-client.sh"
        output = _call([str(client), "-f", str(script)], self.environment)
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
    """Events a second of each in the run phase, ratios, seconds of deployment.

    Medians over the rounds, in which they take turns.
    """
    settings = Settings()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:19092")
    cluster = Cluster(settings.flink_rest_url)
    prefix = f"bench{os.getpid()}."
    topics = [f"{prefix}{name}" for name in ("market.trades", "hand.bars_1m", "analytics.bars_1m")]
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(settings, servers, prefix, Path(name))
        bench.write_job()
        ways = {"ours": bench.ours, "same": bench.same, "bare": bench.bare}
        rates: dict[str, list[float]] = {way: [] for way in ways}
        deployments: dict[str, list[float]] = {way: [] for way in ways}
        publish(servers, topics[0], trades)
        admin = AdminClient({"bootstrap.servers": servers})
        next(iter(admin.create_topics([NewTopic(topics[1], 1, 1)]).values())).result()
        for _ in range(rounds):
            for way, submit in ways.items():
                began = time.time()
                seconds = run_seconds(cluster, submit())
                rates[way].append(trades / seconds)
                deployments[way].append(time.time() - began - seconds)
        admin.delete_topics([*topics, f"{prefix}market.late-events"])
    rate = {way: statistics.median(all_rates) for way, all_rates in rates.items()}
    return {
        "trades": trades,
        **{f"{way}_events_per_second": round(number) for way, number in rate.items()},
        "ratio_to_same": round(rate["ours"] / rate["same"], 3),
        "ratio_to_bare": round(rate["ours"] / rate["bare"], 3),
        **{f"{way}_all": [round(number) for number in all_] for way, all_ in rates.items()},
        **{
            f"{way}_deployment_seconds": round(statistics.median(all_), 1)
            for way, all_ in deployments.items()
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(run(options.trades, options.rounds), indent=2))
