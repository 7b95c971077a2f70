"""Status events: what a consumer needs to tell "no trades" from "no feed"."""

import time
from datetime import UTC, datetime, timedelta

from connectors.events import SCHEMA_VERSION, FeedStatus, StatusKind


def wall_clock() -> int:
    """Now, µs since the epoch, UTC."""
    return time.time_ns() // 1000


def moment(micros: int) -> str:
    """µs since the epoch as UTC text."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def status(
    exchange: str,
    source: str,
    kind: StatusKind,
    *,
    symbol: str = "*",
    native_symbol: str = "*",
    channel: str = "*",
    cause: str = "",
    from_id: int | None = None,
    to_id: int | None = None,
    seconds: float | None = None,
) -> FeedStatus:
    """Build a status event stamped now; fields as in `FeedStatus`."""
    now = wall_clock()
    return FeedStatus(
        exchange=exchange,
        symbol=symbol,
        native_symbol=native_symbol,
        ts_event=now,
        ts_recv=now,
        source=source,
        ts_source="receipt",
        schema_version=SCHEMA_VERSION,
        kind=kind,
        channel=channel,
        cause=cause,
        from_id=from_id,
        to_id=to_id,
        seconds=None if seconds is None else round(seconds, 3),
    )


class RateLimit:
    """Lets one report through per key and ``period`` seconds; counts those in between."""

    def __init__(self, period: float = 10.0) -> None:
        self._period = period
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def allow(self, key: str, now: float) -> int | None:
        """None: be silent. Otherwise how many were kept back since the last report."""
        last = self._last.get(key)
        if last is not None and now - last < self._period:
            self._held[key] = self._held.get(key, 0) + 1
            return None
        self._last[key] = now
        return self._held.pop(key, 0)


def first_error(error: BaseException) -> BaseException:
    """The first plain error inside nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def text_of(error: BaseException) -> str:
    """Class and words of an error, for a status."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
