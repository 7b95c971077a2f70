"""Takes the exchange's list over into the master: tables `stocks` and `stock_listings`."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from psycopg2.extras import execute_values

from dags.batch.errors import SystemFault

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from connectors.stocks.jpx import ListedStock, Listing
    from connectors.stocks.settings import StockSettings

LOG = logging.getLogger(__name__)


class MasterMissing(SystemFault):
    """There is no list at all: neither a good new one nor an older one."""


class Known(NamedTuple):
    """The master as it is."""

    listed: int
    listing_date: date | None
    """Of the list that was last taken over."""


class Taken(NamedTuple):
    """What became of a list."""

    accepted: bool
    listing_date: date | None
    listed: int
    """Stocks of the master that are listed now."""
    added: int
    delisted: int
    reason: str | None
    """Why it was refused, or what was odd about it."""


def refresh(connection: "Connection", settings: "StockSettings") -> Taken:
    """Fetch the list and take it over; a bad one is noted and the master stays as it is.

    MasterMissing where the list is bad and the master empty. Commits.
    """
    from connectors.stocks.jpx import ListingError, check, download, read_listing

    before = known(connection)
    listing = None
    try:
        data, source = download(settings)
        listing = read_listing(data, source)
        reasons = check(
            listing,
            before.listed or None,
            previous_date=before.listing_date,
            min_rows=settings.jpx_min_rows,
            max_shrink=settings.jpx_max_shrink,
        )
    except ListingError as error:
        source = settings.jpx_listing_url or "JPX"
        reasons = [str(error)]
    if listing is None or reasons:
        return refuse(connection, source, listing, reasons)
    return take(connection, source, listing)


def known(connection: "Connection") -> Known:
    """How many stocks are listed, by the list of which day."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM stocks WHERE status = 'listed'),"
            " (SELECT max(listing_date) FROM stock_listings WHERE accepted)"
        )
        row = cursor.fetchone()
        assert row
        return Known(*row)


def take(connection: "Connection", source: str, listing: "Listing") -> Taken:
    """Make the master what the list says. Who is no longer in it is delisted; prices stay."""
    stocks = list({stock.code: stock for stock in listing.stocks}.values())
    day = listing.date
    assert day, "`check` refuses a list without a date"
    reason = "; ".join(listing.faults) or None
    with connection, connection.cursor() as cursor:
        # Two runs may do this at once; readers are not held up.
        cursor.execute("LOCK TABLE stocks IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT count(*) FROM stocks WHERE status = 'listed'")
        before = _number(cursor.fetchone())
        execute_values(cursor, UPSERT, _rows(stocks, day), page_size=1000)
        cursor.execute(
            "UPDATE stocks SET status = 'delisted', updated_at = now()"
            " WHERE status = 'listed' AND code <> ALL(%s)",
            ([stock.code for stock in stocks],),
        )
        delisted = cursor.rowcount
        cursor.execute("SELECT count(*) FROM stocks WHERE status = 'listed'")
        listed = _number(cursor.fetchone())
        taken = Taken(True, day, listed, listed - before + delisted, delisted, reason)
        cursor.execute(LISTING, (day, source, True, reason, len(stocks), taken.added, delisted))
    return taken


def refuse(
    connection: "Connection", source: str, listing: "Listing | None", reasons: Sequence[str]
) -> Taken:
    """Note why the list was not taken over. MasterMissing where there is no older one."""
    reason = "; ".join(reasons) or "no list"
    day = listing.date if listing else None
    rows = len(listing.stocks) if listing else 0
    with connection, connection.cursor() as cursor:
        cursor.execute(LISTING, (day, source, False, reason, rows, 0, 0))
    listed = known(connection).listed
    if not listed:
        raise MasterMissing(
            f"no list of stocks: {reason}. Nothing is known from before either: see to "
            "JPX_LISTING_URL (a saved data_j.xlsx as file:// will do) and run again"
        )
    LOG.warning(
        "the list from %s was refused, %d stocks stay as they are: %s", source, listed, reason
    )
    return Taken(False, day, listed, 0, 0, reason)


def _rows(stocks: Iterable["ListedStock"], day: date) -> list[tuple[object, ...]]:
    return [
        (
            stock.code,
            stock.symbol,
            stock.name,
            stock.segment,
            stock.is_foreign,
            stock.is_class_share,
            stock.sector33,
            stock.sector17,
            stock.size,
            day,
            day,
        )
        for stock in stocks
    ]


def _number(row: tuple[int, ...] | None) -> int:
    return row[0] if row else 0


UPSERT = """
INSERT INTO stocks (code, symbol, name, segment, is_foreign, is_class_share, sector33, sector17,
    size, first_seen, last_seen)
VALUES %s
ON CONFLICT (code) DO UPDATE SET
    symbol = excluded.symbol, name = excluded.name, segment = excluded.segment,
    is_foreign = excluded.is_foreign, is_class_share = excluded.is_class_share,
    sector33 = excluded.sector33, sector17 = excluded.sector17, size = excluded.size,
    status = 'listed', last_seen = greatest(stocks.last_seen, excluded.last_seen),
    updated_at = now()
"""
LISTING = """
INSERT INTO stock_listings (listing_date, source, accepted, reason, row_count, added, delisted)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
