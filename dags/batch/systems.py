"""Is everything there that a run needs? Asked before anything is fetched."""

import os
import socket
from collections.abc import Mapping
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from dags.batch.config import BatchConfig
from dags.batch.errors import SystemFault
from dags.batch.migrations import migrate

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from connectors.stocks.settings import StockSettings

YAHOO = "https://query2.finance.yahoo.com"
CONNECT_SECONDS = 5.0


class UpstreamUnreachable(SystemFault):
    """No connection to the source of bars."""


class CacheUnusable(SystemFault):
    """The cache folder cannot be written."""


def check(
    connection: "Connection", params: Mapping[str, Any], settings: "StockSettings"
) -> dict[str, str]:
    """Check settings, tables, cache folder and upstream; a few words about each.

    ConfigError, MigrationError, CacheUnusable or UpstreamUnreachable, each with its remedy.
    """
    config = BatchConfig.load(params)
    applied = migrate(connection)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_schema()")
        row = cursor.fetchone()
        assert row
    return {
        "settings": f"{config.requests_per_second:g} calls/s, {config.max_workers} workers",
        "database": f"PostgreSQL {row[0]}, schema {row[1]}",
        "migrations": ", ".join(applied) or "nothing to do",
        "cache": writable(settings),
        "upstream": reachable(settings.yahoo_base_url or YAHOO),
    }


def writable(settings: "StockSettings") -> str:
    """The cache folder, made if it is missing. CacheUnusable."""
    folder = settings.cache_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CacheUnusable(f"{error}: let STOCK_CACHE name a folder that can be written") from None
    return str(folder)


def reachable(url: str) -> str:
    """Open and close a connection to the host of `url`; no call is made. UpstreamUnreachable.

    Behind a proxy only the proxy can tell, so nothing is tried.
    """
    parts = urlsplit(url)
    if parts.scheme in getproxies() and not _without_proxy(parts.hostname or ""):
        return f"{url} through a proxy, not tried"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS).close()
    except OSError as error:
        raise UpstreamUnreachable(
            f"{url} does not answer ({error}): see to the network, or set YAHOO_BASE_URL"
        ) from None
    return url


def _without_proxy(host: str) -> bool:
    names = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    return any(name and host.endswith(name.strip().lstrip(".")) for name in names)
