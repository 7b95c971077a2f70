"""One row of PostgreSQL is the token bucket of the source, shared by all workers on all hosts.

A token is reserved, not waited for: the row may go negative, and the taker sleeps until its call
is due. So the order is fair and nobody polls. A 429 puts the row far below zero, which holds
everybody back, and halves the rate for a while.
"""

from datetime import datetime
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dags.batch.database import Database

NAME = "yahoo"
SLOWEST = 8
"""The rate is never halved below base rate / 8."""

RATE_NOW = "CASE WHEN slow_until > clock_timestamp() THEN rate ELSE base_rate END"
# PostgreSQL computes this anew when it had to wait for the row, so the clock is that of the turn.
TAKE = f"""
UPDATE rate_limits
SET tokens = least(
        burst,
        tokens + greatest(0, extract(epoch FROM clock_timestamp() - counted_at)) * {RATE_NOW}
    ) - 1,
    counted_at = clock_timestamp(),
    rate = {RATE_NOW}
WHERE name = %s
RETURNING greatest(0, -tokens / rate), storms
"""
PUSH_BACK = """
WITH pause AS (
    SELECT name, least(%(most)s, %(wait)s * 2.0 ^ least(throttled, 20)) AS seconds,
           greatest(rate / 2, base_rate / %(slowest)s) AS slower
    FROM rate_limits WHERE name = %(name)s FOR UPDATE
)
UPDATE rate_limits AS r
SET storms = storms + 1, throttled = throttled + 1, rate = slower,
    -- What was promised before stays as far away in time at the slower rate.
    tokens = least(tokens * slower / rate, -slower * seconds), counted_at = clock_timestamp(),
    slow_until = clock_timestamp() + make_interval(secs => 2 * seconds)
FROM pause WHERE r.name = pause.name AND r.storms = %(storm)s
RETURNING seconds
"""


class Ticket(NamedTuple):
    """The promise of one call."""

    wait: float
    """Seconds until the call is due."""
    storm: int
    """How many storms of 429 there had been when it was given; after a further one it is void."""


class Refusals(NamedTuple):
    """How often the source refused us in a row."""

    number: int
    since: datetime


def configure(cursor: Cursor, rate: float, burst: int, name: str = NAME) -> None:
    """Make the bucket, full, or set its rate and burst anew; refusals are forgotten."""
    cursor.execute(
        """
        INSERT INTO rate_limits AS r (name, rate, base_rate, burst, tokens)
        VALUES (%(name)s, %(rate)s, %(rate)s, %(burst)s, %(burst)s)
        ON CONFLICT (name) DO UPDATE
        SET rate = CASE WHEN r.slow_until > clock_timestamp()
                        THEN least(r.rate, excluded.base_rate) ELSE excluded.base_rate END,
            base_rate = excluded.base_rate, burst = excluded.burst,
            tokens = least(r.tokens, excluded.burst), refused = 0
        """,
        {"name": name, "rate": rate, "burst": burst},
    )


def forgive(cursor: Cursor, name: str = NAME) -> None:
    """Forget refusals: the breaker counts from 0 again."""
    cursor.execute("UPDATE rate_limits SET refused = 0 WHERE name = %s", (name,))


class TokenBucket:
    """The bucket as a worker uses it. Each method is a transaction of its own.

    Args:
        database: Where the row is; `configure` has made it.
        wait: Pause of everybody after a first 429, seconds; doubles with each further one.
        wait_max: The longest such pause.
        name: Of the row.
    """

    def __init__(
        self, database: Database, wait: float = 60.0, wait_max: float = 900.0, name: str = NAME
    ) -> None:
        self.database = database
        self.wait = wait
        self.wait_max = wait_max
        self.name = name

    def take(self) -> Ticket:
        """Reserve one call. The caller waits, and looks now and then whether it is `void`."""

        def work(cursor: Cursor) -> Ticket:
            quick(cursor)
            cursor.execute(TAKE, (self.name,))
            row = cursor.fetchone()
            if row is None:
                raise LookupError(f"there is no rate limit {self.name!r}: start_batch makes it")
            return Ticket(float(row[0]), int(row[1]))

        return self.database.run(work)

    def give_back(self) -> None:
        """Return a token that was not used."""

        def work(cursor: Cursor) -> None:
            quick(cursor)
            cursor.execute(
                "UPDATE rate_limits SET tokens = least(burst, tokens + 1) WHERE name = %s",
                (self.name,),
            )

        self.database.run(work)

    def void(self, ticket: Ticket) -> bool:
        """Whether everybody was held back since the ticket was given."""

        def work(cursor: Cursor) -> bool:
            cursor.execute("SELECT storms FROM rate_limits WHERE name = %s", (self.name,))
            row = cursor.fetchone()
            return row is not None and row[0] != ticket.storm

        return self.database.run(work)

    def push_back(self, ticket: Ticket) -> float:
        """After a 429 to the call of `ticket`: hold everybody back, halve the rate for a while.

        Gives the pause in seconds; 0 where the call belongs to a storm that is known already.
        """

        def work(cursor: Cursor) -> float:
            cursor.execute(
                PUSH_BACK,
                {
                    "name": self.name,
                    "wait": self.wait,
                    "most": self.wait_max,
                    "slowest": SLOWEST,
                    "storm": ticket.storm,
                },
            )
            row = cursor.fetchone()
            return float(row[0]) if row else 0.0

        return self.database.run(work)

    def refused(self) -> Refusals:
        """Count a refusal."""

        def work(cursor: Cursor) -> Refusals:
            cursor.execute(
                "UPDATE rate_limits SET refused = refused + 1, refused_since = "
                "CASE WHEN refused = 0 THEN clock_timestamp() ELSE refused_since END "
                "WHERE name = %s RETURNING refused, refused_since",
                (self.name,),
            )
            row = cursor.fetchone()
            assert row
            return Refusals(*row)

        return self.database.run(work)

    def succeeded(self, ticket: Ticket) -> None:
        """The source answered the call of `ticket`: no refusal, and the storm is over."""

        def work(cursor: Cursor) -> None:
            quick(cursor)
            cursor.execute(
                """
                UPDATE rate_limits
                SET refused = 0,
                    throttled = CASE WHEN storms = %(storm)s THEN 0 ELSE throttled END
                WHERE name = %(name)s
                  AND (refused > 0 OR throttled > 0 AND storms = %(storm)s)
                """,
                {"name": self.name, "storm": ticket.storm},
            )

        self.database.run(work)


def quick(cursor: Cursor) -> None:
    """Do not wait for the disk: after a crash a token more or less does no harm."""
    cursor.execute("SET LOCAL synchronous_commit = off")
