"""Orders from the generator through Kafka and Flink: every number against the ledger.

Two hours of orders are written at once, every kind of damage beside them; four jobs read them; an
order that is too late comes at the end.
"""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.simulator.orders import damage
from flink_jobs import rules
from flink_jobs.submit import submit
from tests.integration.job_stage import Row, Stage, until
from tests.integration.order_oracle import MINUTE, Oracle

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
NAME = "orders_test"
START = "2026-03-08T00:00:00Z"
JOBS = ("orders", "transactions", "customers", "settlements")
VIP_TOTAL = 300
LATE = {
    "order_id": "late",
    "customer_id": "nobody",
    "amount": "1.00",
    "category": "books",
    "event_time": "2026-03-08T00:01:00Z",
}
TIME_FIELDS = {"raw_events": "created_at"}
EXACTLY_ONCE = ("payments_settled", "stock_reserved", "orders_in_order")


class Run(NamedTuple):
    """What came out."""

    oracle: Oracle
    damaged: Counter[tuple[str, int, bytes]]
    tables: dict[str, list[Row]]
    topics: dict[str, list[Row]]
    late: list[Row]
    restarts: int


@pytest.fixture(scope="module")
def run(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Tell the story once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        stage = Stage(stack, monkeypatch, NAME)
        limit = rules.Change(threshold=str(VIP_TOTAL))
        rules.change(stage.catalog(), "vip_customer", "*", limit)
        try:
            yield tell(stage, tmp_path_factory.mktemp("orders") / "ledger.jsonl")
        finally:
            stage.end()


def tell(stage: Stage, ledger: Path) -> Run:
    """Generate, damage, submit, wait; then one order that is too late."""
    words = f"--start {START} --for 2h --rate 0.25 --customers 30 --seed 7 --late 0"
    stage.generate(f"{words} --corrupt 0.02 --speed max --beat 60s --quiet 2h --ledger {ledger}")
    oracle = Oracle(ledger)
    damaged = publish_damage(stage, oracle)
    jobs = submit(stage.settings, [part for name in JOBS for part in ("--job", name)])
    dead = oracle.corrupted() + damaged
    until(lambda: len(stage.rows("customer_sessions_30m")) >= len(oracle.sessions()), "sessions")
    until(lambda: len(stage.rows("order_dead_letters")) >= dead.total(), "dead letters")
    for name in EXACTLY_ONCE:
        topic = {"payments_settled": "payments", "stock_reserved": "stock-reservations"}
        count = len(oracle.sound(topic.get(name, "order-events")))
        until(lambda n=name, c=count: len(stage.read(f"analytics.{n}")) >= c, name)
    until(lambda: sum(r["total_orders"] for r in stage.rows("customer_metrics")) >= count, "totals")
    stage.publish("order-events", json.dumps(LATE).encode(), oracle.entries[-1]["at_us"] // 1000)
    stage.producer.flush(10)
    until(lambda: len(late_of(stage)) >= 4, "the late order")
    until(
        lambda: any(r["customer_id"] == "nobody" for r in stage.rows("customer_metrics")),
        "the late order in its customer's total",
    )
    tables = (
        *("revenue_by_category_5m", "moving_avg_revenue_1h_10m", "customer_sessions_30m"),
        *("category_running", "amounts_1m", "amounts_rolling_5m", "order_dead_letters"),
        *("customer_metrics", "user_totals", "alerts"),
    )
    return Run(
        oracle=oracle,
        damaged=damaged,
        tables={name: stage.rows(name) for name in tables},
        topics={
            name: stage.read(name)
            for name in (
                *(f"analytics.{name}" for name in EXACTLY_ONCE),
                *("processed_events", "analytics.events_deduplicated", "customer-metrics"),
                "orders.dead-letters",
            )
        },
        late=late_of(stage),
        restarts=sum(stage.restarts(identity) for identity in jobs.values()),
    )


def publish_damage(stage: Stage, oracle: Oracle) -> Counter[tuple[str, int, bytes]]:
    """Every kind of damage, once for each topic."""
    done: Counter[tuple[str, int, bytes]] = Counter()
    for topic in ("order-events", "raw_events", "transactions", "payments", "stock-reservations"):
        sample = oracle.sound(topic)[0]
        for make in damage.kinds(sample["fields"], TIME_FIELDS.get(topic, "event_time")).values():
            value = make(sample["fields"])
            stage.publish(topic, value, sample["at_us"] // 1000)
            done[topic, 0, value] += 1
    assert stage.producer.flush(30) == 0
    return done


def late_of(stage: Stage) -> list[Row]:
    """What was told of the late order."""
    found = stage.read("market.late-events")
    return [row for row in found if row["row"].get("order_id") == "late"]


def by(rows: list[Row], *names: str) -> dict[Any, Row]:
    """Rows by key; the key is one."""
    found = {tuple(r[n] for n in names) if len(names) > 1 else r[names[0]]: r for r in rows}
    assert len(found) == len(rows)
    return found


def same(want: dict[Any, Row], have: dict[Any, Row], **columns: str) -> None:
    """Every row is there and no other, each with equal values in these columns."""
    assert want.keys() == have.keys()
    for key, row in want.items():
        told = {name: have[key][name] for name in columns}
        assert told == {name: row[column] for name, column in columns.items()}, key


def test_windows_over_orders_equal_the_ledger(run: Run) -> None:
    """Tumbling, hopping and cumulating windows and sessions, to the last digit."""
    oracle, tables = run.oracle, run.tables
    revenue = by(tables["revenue_by_category_5m"], "category", "window_start")
    names = {"order_count": "n", "total_revenue": "total", "avg_order_value": "average"}
    same(oracle.revenue(), revenue, **names)
    hours = by(tables["moving_avg_revenue_1h_10m"], "category", "window_start")
    same(oracle.hours(), hours, moving_avg_revenue="average", order_count_1h="n")
    running = by(tables["category_running"], "category", "window_start")
    same(oracle.revenue(), running, count="n", total="total", average="average")
    sessions = by(tables["customer_sessions_30m"], "customer_id", "window_start")
    same(oracle.sessions(), sessions, orders_in_session="n", session_total="total")
    for key, row in oracle.sessions().items():
        assert sessions[key]["window_end"] == row["until"] + 30 * 60_000


def test_windows_over_transactions_equal_the_ledger(run: Run) -> None:
    """By the minute, and over the 300 seconds up to each transaction."""
    minutes = by(run.tables["amounts_1m"], "window_start")
    names = {"event_count": "n", "total_amount": "total", "average_amount": "average"}
    same(run.oracle.minutes(), minutes, **names)
    rolling = by(run.tables["amounts_rolling_5m"], "id")
    names = {"count": "n", "total": "total", "average": "average", "max": "most", "min": "least"}
    same(run.oracle.rolling(), rolling, **names)


def test_totals_equal_the_ledger(run: Run) -> None:
    """Customers and users: every order once, late ones too, in PostgreSQL and in the topic."""
    metrics = by(run.tables["customer_metrics"], "customer_id")
    assert metrics.pop("nobody")["total_orders"] == 1
    names = {"total_orders": "n", "total_spent": "total", "last_order_time": "until"}
    same(run.oracle.customers(), metrics, average_order_value="average", **names)
    newest = {row["customer_id"]: row for row in run.topics["customer-metrics"]}
    assert {name: row["total_spent"] for name, row in newest.items() if name != "nobody"} == {
        name: row["total_spent"] for name, row in metrics.items()
    }
    totals: Counter[str] = Counter()
    for entry in run.oracle.sound("raw_events"):
        totals[entry["fields"]["user"]["id"]] += entry["fields"]["event_type"] == "purchase"
    users = by(run.tables["user_totals"], "user_id")
    assert {name: row["total_purchases"] for name, row in users.items()} == dict(+totals)


def test_alerts_tell_what_the_ledger_hides(run: Run) -> None:
    """Large transactions, strange places, bursts, and users at their crossing."""
    found: dict[str, list[Row]] = {}
    for row in run.tables["alerts"]:
        found.setdefault(row["rule_id"], []).append(row)
    sound = run.oracle.sound("transactions")
    large = [e for e in sound if Decimal(e["fields"]["amount"]) > 100_000]
    strange = [e for e in sound if e["fields"]["location"] != e["fields"]["usual_location"]]
    for rule, entries in (("large_transaction", large), ("unusual_place", strange)):
        told = {(row["subject"], row["event_time"] // MINUTE): row["count"] for row in found[rule]}
        assert told == Counter(
            (f"account|{entry['fields']['account_id']}", entry["at_us"] // 1000 // MINUTE)
            for entry in entries
        )
        assert told
    bursts: Counter[str] = Counter()
    for row in found["fast_repeats"]:
        bursts[row["subject"].removeprefix("account|")] += row["count"]
    assert bursts == run.oracle.bursts()
    vips = {row["subject"].removeprefix("user|"): row["value"] for row in found["vip_customer"]}
    assert vips == run.oracle.vips(VIP_TOTAL)
    assert vips


@pytest.mark.parametrize(
    ("name", "topic", "key"),
    [
        ("payments_settled", "payments", "payment_id"),
        ("stock_reserved", "stock-reservations", "reservation_id"),
    ],
)
def test_settlements_are_told_once_each(run: Run, name: str, topic: str, key: str) -> None:
    """A read_committed reader sees every id of the ledger, and none twice."""
    told = Counter(row[key] for row in run.topics[f"analytics.{name}"])
    assert told == Counter(entry["fields"][key] for entry in run.oracle.sound(topic))


def test_orders_leave_in_event_time(run: Run) -> None:
    """All orders of the ledger, by time, numbered without a gap."""
    rows = run.topics["analytics.orders_in_order"]
    times = [row["event_time"] for row in rows]
    assert times == sorted(times)
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    told = {row["order_id"] for row in rows}
    assert told == {entry["fields"]["order_id"] for entry in run.oracle.sound("order-events")}


def test_processed_events_have_the_fields_promised(run: Run) -> None:
    """Exactly those, each event once, the time as it came."""
    rows = run.topics["processed_events"]
    fields = {"id", "type", "timestamp", "user_id", "amount", "processed_at", "processor_version"}
    assert {frozenset(row) for row in rows} == {frozenset(fields)}
    want = {
        (e["fields"]["event_id"], e["fields"]["created_at"], e["fields"]["user"]["id"])
        for e in run.oracle.sound("raw_events")
    }
    assert {(row["id"], row["timestamp"], row["user_id"]) for row in rows} == want
    assert len(rows) == len(want)


def test_every_corrupted_record_is_a_dead_letter(run: Run) -> None:
    """Topic, partition and bytes of each, and no other; no job failed."""
    rows = run.tables["order_dead_letters"]
    found = Counter(
        (row["source_topic"].removeprefix(f"{NAME}."), row["source_partition"], row["body"])
        for row in rows
    )
    assert found == run.oracle.corrupted() + run.damaged
    assert all(row["reason"] for row in rows)
    assert len(run.topics["orders.dead-letters"]) == len(rows)
    assert run.restarts == 0


def test_a_late_order_is_told_by_every_model_that_lost_it(run: Run) -> None:
    """The minute, all steps, the session and the place in the order have gone without it."""
    models = {row["model"] for row in run.late}
    assert models >= {"revenue_by_category_5m", "customer_sessions_30m", "orders_in_order"}
