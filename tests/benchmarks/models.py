"""Every model over Kafka: events a second, state at 1,000 series, ten models in one job or in ten.

    python -m tests.benchmarks.models                     # a million trades, all models
    python -m tests.benchmarks.models --model bars_1m

- ``events/s``: records of the topics that the model reads, over the run phase of a job of this
  model alone (parallelism 1, its own sinks, a checkpoint every half second);
- ``state``: the largest checkpoint of that run over an hour of trades, quotes and books of 500
  symbols on two venues, and a day of orders;
- ten models over trades as one job and as ten jobs at once: seconds, and CPU of the task manager.

Runs on a stack of its own.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from docker.local.process import carriers
from flink_jobs.catalog import Catalog
from flink_jobs.cluster import ENDED, Cluster
from flink_jobs.settings import ROOT, Settings
from flink_jobs.submit import submit
from tests.benchmarks.bars import run_seconds, send
from tests.integration.conftest import RunningStack, market_stack

PREFIX = "bench."
SCHEMA = "bench"
START = 1_772_000_000_000_000
HOUR_US = 3_600_000_000
VENUES = ("binance", "coinbase")
SYMBOLS = tuple(f"C{number:03d}-USDT" for number in range(500))
TEN = (
    *("windows/bars_1m", "windows/bars_5m", "windows/bars_1h", "windows/bars_running_1m"),
    *("windows/moving_average_1h_10m", "windows/trade_sessions_30s", "windows/top_movers_1m"),
    *("windows/cross_venue_gap_1m", "windows/volume_profile_1m", "windows/rolling_5m"),
)
MARKET = ("market.trades", "market.quotes", "market.books", "market.status")
ORDERS = ("order-events", "raw_events", "transactions", "payments", "stock-reservations")


def trade(number: int, head: dict[str, Any]) -> dict[str, Any]:
    """What looks random follows from the number."""
    mixed = number * 2_654_435_761 & 0xFFFFFFFF
    return {
        **head,
        **{"event_type": "trade", "trade_id": str(number), "trade_seq": number},
        **{"price": f"{60_000 + mixed % 977}.{mixed % 100:02d}", "size": f"0.{mixed % 10**6:06d}"},
        "side": "sell" if mixed & 1 else "buy",
    }


def quote(number: int, head: dict[str, Any]) -> dict[str, Any]:
    """Best bid and ask."""
    mixed = number * 2_654_435_761 & 0xFFFFFFFF
    price = 60_000 + mixed % 977
    return {
        **head,
        **{"event_type": "quote", "sequence": number, "bid_price": f"{price}.01"},
        **{"bid_size": "1.5", "ask_price": f"{price}.{2 + mixed % 97:02d}", "ask_size": "0.7"},
    }


def book(number: int, head: dict[str, Any]) -> dict[str, Any]:
    """Two levels of each side."""
    price = 60_000 + number % 977
    return {
        **head,
        **{"event_type": "book", "is_snapshot": False, "merged": 1},
        **{"sequence": number, "prev_sequence": number - 1},
        "bids": [[f"{price - 1}.5", "1.25"], [f"{price - 2}.5", "0"]],
        "asks": [[f"{price + 1}.5", "0.5"], [f"{price + 2}.5", "2"]],
    }


def status(number: int, head: dict[str, Any]) -> dict[str, Any]:
    """A feed that goes and comes."""
    kind = ("disconnected", "connected", "gap", "stale")[number % 4]
    return {
        **head,
        **{"event_type": "status", "kind": kind, "channel": "trades", "cause": "benchmark"},
        **{"from_id": number, "to_id": number + 1, "seconds": 0.5},
    }


MAKERS = dict(zip(MARKET, (trade, quote, book, status), strict=True))


def make_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Topics of the market, one partition for each venue."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    options = {"retention.ms": "-1", "retention.bytes": "-1"}
    made = admin.create_topics([NewTopic(PREFIX + name, 2, 1, config=options) for name in names])
    for future in made.values():
        future.result()


def publish(bootstrap: str, sizes: dict[str, int]) -> None:
    """Fill the market's topics: an hour each."""
    make_topics(bootstrap, sizes)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "lz4"}
    )
    for name, count in sizes.items():
        for number in range(count):
            place = number & 1
            at = START + number * HOUR_US // count
            head = {
                **{"exchange": VENUES[place], "symbol": SYMBOLS[(number >> 1) % len(SYMBOLS)]},
                **{"native_symbol": "X", "ts_event": at, "ts_recv": at + 1500, "source": "bench"},
                **{"ts_source": "venue", "schema_version": 1},
            }
            value = json.dumps(MAKERS[name](number, head)).encode()
            send(producer, PREFIX + name, place, value, at // 1000)
    producer.flush()


def publish_orders(stack: RunningStack) -> None:
    """Fill the topics of orders: a day by the generator."""
    python = stack.settings.installed / "venv/dev/bin/python"
    words = "simulate-orders --start 2026-03-08T00:00:00Z --for 24h --rate 1 --speed max --beat 60s"
    subprocess.run(
        [str(python), "-m", "connectors", *words.split()],
        cwd=ROOT,
        env={**stack.env, "TOPIC_PREFIX": PREFIX},
        check=True,
        capture_output=True,
    )


class Bench:
    """A folder of SQL files with a job for each model, and the cluster it runs on."""

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        self.stack = stack
        self.catalog = Catalog.load(ROOT / "sql", {"TOPIC_PREFIX": PREFIX})
        models = [self.catalog.model(self.catalog.key(n)) for n in self.catalog.model_paths]
        self.jobs = {
            f"bench_{model.name}": self.catalog.key(model.name)
            for model in models
            if model.sinks != ("none",)
        }
        text = (ROOT / "sql/jobs.toml").read_text()
        for name, models in [*((n, [m]) for n, m in self.jobs.items()), ("bench_ten", list(TEN))]:
            text = f"[jobs.{name}]\nmodels = {json.dumps(models)}\n{self.options(models[0])}" + text
        os.environ["MARKET_STREAMS_SQL"] = str(folder / "sql")
        (folder / "sql").mkdir()
        for entry in (ROOT / "sql").iterdir():
            if entry.name != "jobs.toml":
                (folder / "sql" / entry.name).symlink_to(entry)
        (folder / "sql/jobs.toml").write_text(text)
        self.settings = Settings()
        self.cluster = Cluster(self.settings.flink_rest_url)

    def options(self, model: str) -> str:
        """Those of the job that the model is in; without them its state would grow for ever."""
        own = dict(next(job.options for job in self.catalog.jobs.values() if model in job.models))
        own |= {f"execution.checkpointing.{name}": "500 ms" for name in ("interval", "min-pause")}
        pairs = ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in own.items())
        return f"options = {{ {pairs} }}\n"

    def start(self, jobs: Sequence[str]) -> list[str]:
        """Submit bounded runs; ids."""
        values = [f"TOPIC_PREFIX={PREFIX}", f"ANALYTICS_SCHEMA={SCHEMA}"]
        values += ["BOUNDED=latest-offset"]
        words = [part for name in jobs for part in ("--job", name)]
        words += [part for value in values for part in ("--set", value)]
        return list(submit(self.settings, words).values())

    def topics(self, job: str) -> list[str]:
        """Topics that a job reads."""
        models = self.catalog.with_inputs(self.catalog_models(job))
        return sorted(set(self.catalog.topics_read(models)))

    def catalog_models(self, job: str) -> list[str]:
        """Models of a job of this benchmark."""
        return list(TEN) if job == "bench_ten" else [self.jobs[job]]

    def records(self, job: str) -> int:
        """Records in the topics of a job."""
        consumer = Consumer({"bootstrap.servers": self.stack.bootstrap, "group.id": "bench"})
        listed = consumer.list_topics(timeout=10).topics
        parts = [
            TopicPartition(topic, number)
            for topic in self.topics(job)
            for number in listed[topic].partitions
        ]
        found = sum(consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts)
        consumer.close()
        return found

    def run(self, job: str) -> tuple[float, int]:
        """Events a second of a bounded run, and bytes of its largest checkpoint."""
        (identity,) = self.start([job])
        rate = self.records(job) / run_seconds(self.cluster, identity)
        taken = self.cluster.get(f"/jobs/{identity}/checkpoints")["summary"]["state_size"]
        return rate, int(taken["max"])

    def together(self, jobs: Sequence[str]) -> tuple[float, float]:
        """Seconds and CPU seconds of bounded jobs that run at once."""
        manager = self.task_manager()
        before, began = sum(manager.cpu_times()[:2]), time.monotonic()
        left = set(self.start(jobs))
        while left:
            left = {i for i in left if self.cluster.get(f"/jobs/{i}")["state"] not in ENDED}
            time.sleep(0.2)
        return time.monotonic() - began, sum(manager.cpu_times()[:2]) - before

    def task_manager(self) -> psutil.Process:
        """The process of this stack's task manager."""
        end = f"@{self.stack.settings.market_streams_state}"
        found = [
            process
            for process, tag in carriers()
            if tag.endswith(end) and "taskmanager" in tag and process.name() == "java"
        ]
        return found[0]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.models", description=__doc__)
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--model", action="append", default=[], help="these models only")
    options = parser.parse_args()
    count = options.trades
    sizes = dict(zip(MARKET, (count, count // 2, count // 5, count // 50), strict=True))
    with market_stack(flink_slots=12) as stack, TemporaryDirectory() as folder:
        publish(stack.bootstrap, sizes)
        publish_orders(stack)
        bench = Bench(stack, Path(folder))
        print(f"{'model':<30} {'records':>10} {'events/s':>10} {'state, MB':>10}", flush=True)
        for job, model in bench.jobs.items():
            if options.model and model.split("/")[1] not in options.model:
                continue
            rate, state = bench.run(job)
            count = bench.records(job)
            print(f"{model:<30} {count:>10,} {rate:>10,.0f} {state / 1e6:>10.1f}", flush=True)
        if not options.model:
            one = bench.together(["bench_ten"])
            ten = bench.together([f"bench_{name.split('/')[1]}" for name in TEN])
            print(f"ten models as one job: {one[0]:.1f} s, CPU {one[1]:.1f} s")
            print(f"ten models as ten jobs: {ten[0]:.1f} s, CPU {ten[1]:.1f} s")


if __name__ == "__main__":
    main()
