"""What the order models must say, computed from the generator's ledger: DuckDB and decimal."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]
MINUTE = 60_000
EXACT = Context(prec=80)
TABLES = {
    "order-events": ("orders", "order_id, customer_id, amount, category"),
    "transactions": ("tx", "id, account_id, amount, location, usual_location"),
}


def lines(ledger: Path) -> list[Row]:
    """The ledger, in the order of arrival."""
    return [json.loads(line) for line in ledger.read_text().splitlines()]


def average(total: Decimal, count: int) -> Decimal:
    """With the six decimals of Flink's AVG, halves away from zero."""
    return EXACT.divide(total, Decimal(count)).quantize(Decimal("1e-6"), rounding=ROUND_HALF_UP)


class Oracle:
    """Answers as ``{key: row}``; times are ms since the epoch."""

    def __init__(self, ledger: Path) -> None:
        self.entries = lines(ledger)
        self.db = duckdb.connect()
        for topic, (table, names) in TABLES.items():
            columns = names.split(", ")
            kinds = ", ".join(
                f"{n} {'DECIMAL(18,2)' if n == 'amount' else 'TEXT'}" for n in columns
            )
            self.db.execute(f"CREATE TABLE {table} ({kinds}, ms BIGINT)")
            rows = [
                [*(e["fields"][n] for n in columns), e["event_us"] // 1000]
                for e in self.sound(topic)
            ]
            marks = ", ".join("?" * (len(columns) + 1))
            self.db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def sound(self, topic: str) -> list[Row]:
        """Events of a topic, each once."""
        return [e for e in self.entries if e["topic"] == topic and e["t"] in ("event", "late")]

    def corrupted(self) -> Counter[tuple[str, int, bytes]]:
        """(topic, partition, bytes) of what must be in the dead letters."""
        return Counter(
            (e["topic"], e["partition"], b64decode(e["value"]))
            for e in self.entries
            if e["t"] == "corrupt"
        )

    def _rows(self, sql: str) -> Iterator[Row]:
        cursor = self.db.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            if "n" in row:
                row["average"] = average(row["total"], row["n"])
            yield row

    def revenue(self) -> dict[Any, Row]:
        """By category and five minutes."""
        sql = f"""SELECT category, ms // {5 * MINUTE} * {5 * MINUTE} AS w, count(*) AS n,
            sum(amount) AS total FROM orders GROUP BY ALL"""
        return {(row["category"], row["w"]): row for row in self._rows(sql)}

    def hours(self) -> dict[Any, Row]:
        """By category and hour, every ten minutes."""
        slide = 10 * MINUTE
        sql = f"""SELECT category, w, count(*) AS n, sum(amount) AS total FROM (
            SELECT *, unnest(range(ms // {slide} * {slide} - {5 * slide}, ms + 1, {slide})) AS w
            FROM orders) GROUP BY ALL"""
        return {(row["category"], row["w"]): row for row in self._rows(sql)}

    def sessions(self) -> dict[Any, Row]:
        """By customer and first order."""
        sql = f"""WITH marked AS (
                SELECT *, coalesce(ms - lag(ms) OVER w > {30 * MINUTE}, true)::INT AS starts
                FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY ms)
            ), numbered AS (
                SELECT *, sum(starts) OVER (PARTITION BY customer_id ORDER BY ms
                    ROWS UNBOUNDED PRECEDING) AS number FROM marked
            )
            SELECT customer_id, min(ms) AS w, max(ms) AS until, count(*) AS n,
                sum(amount) AS total FROM numbered GROUP BY customer_id, number"""
        return {(row["customer_id"], row["w"]): row for row in self._rows(sql)}

    def customers(self) -> dict[Any, Row]:
        """By customer."""
        sql = """SELECT customer_id, count(*) AS n, sum(amount) AS total, max(ms) AS until
            FROM orders GROUP BY ALL"""
        return {row["customer_id"]: row for row in self._rows(sql)}

    def minutes(self) -> dict[Any, Row]:
        """Transactions by minute."""
        sql = f"""SELECT ms // {MINUTE} * {MINUTE} AS w, count(*) AS n, sum(amount) AS total
            FROM tx GROUP BY ALL"""
        return {row["w"]: row for row in self._rows(sql)}

    def rolling(self) -> dict[Any, Row]:
        """For each transaction those of the 300 s up to it."""
        sql = """SELECT id, count(*) OVER w AS n, sum(amount) OVER w AS total,
            max(amount) OVER w AS most, min(amount) OVER w AS least
            FROM tx WINDOW w AS (ORDER BY ms RANGE BETWEEN 300000 PRECEDING AND CURRENT ROW)"""
        return {row["id"]: row for row in self._rows(sql)}

    def bursts(self) -> Counter[str]:
        """How often an account made three large transactions within ten minutes."""
        times: dict[str, list[int]] = {}
        for row in self._rows("SELECT account_id, ms FROM tx WHERE amount > 100000 ORDER BY ms"):
            times.setdefault(row["account_id"], []).append(row["ms"])
        found: Counter[str] = Counter()
        for name, each in times.items():
            place = 0
            while place + 2 < len(each):
                hit = each[place + 2] - each[place] < 10 * MINUTE
                found[name] += hit
                place += 3 if hit else 1
        return +found

    def vips(self, limit: int) -> dict[str, Decimal]:
        """Users by the total with which they crossed the limit, in the order of arrival."""
        totals: dict[str, Decimal] = {}
        found: dict[str, Decimal] = {}
        for entry in self.sound("raw_events"):
            fields = entry["fields"]
            if fields["event_type"] == "purchase":
                user = fields["user"]["id"]
                before = totals.get(user, Decimal(0))
                totals[user] = before + Decimal(str(fields["data"]["amount"]))
                if before <= limit < totals[user]:
                    found[user] = totals[user]
        return found
