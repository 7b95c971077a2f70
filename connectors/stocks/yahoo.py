"""Daily bars of Tokyo's stocks from Yahoo Finance, by the real yfinance.

    source = YahooSource(load_stock_settings(), throttle=bucket.wait)
    bars = source.daily_bars("7203.T", date(2025, 1, 6), date(2025, 1, 31))

A symbol costs one HTTP call. Cookie and crumb cost two more for all processes of a host together
(see `credentials.py`), and the time zone none, as it is always Tokyo's. yfinance takes 1.6 s to
import, so that waits for the first fetch.
"""

import logging
import os
import re
import threading
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from connectors.stocks.bars import Bar, Failure, FetchError
from connectors.stocks.cache_folder import make_cache_folder
from connectors.stocks.frames import bars_of, oddities
from connectors.stocks.settings import StockSettings

if TYPE_CHECKING:
    from connectors.stocks.yahoo_session import Exchange, Upstream

TIME_ZONE = "Asia/Tokyo"
SYMBOL = re.compile(r"[0-9A-Z]{4,5}\.T")
WHOLE = "max"
LONGEST_REASON = 300
BEGINNING = 60
"""Bytes of an answer that are shown."""
CURL_ADVICE = ". See https://curl.se"

log = logging.getLogger(__name__)
_preparing = threading.Lock()
_prepared_by: list[int] = []
"""The process that set yfinance up: at most one."""


class YahooSource:
    """A `BarSource`. Safe for several threads; each fetch is made in the caller's.

    Args:
        settings: Base address and cache folder.
        throttle: Called before every HTTP call: waits for its turn. What it raises leaves
            `daily_bars` as it is.
        timeout: Seconds for all HTTP calls of one fetch together, the throttle not counted.
        period: How much a fetch without `start` asks for, in Yahoo's words: `max`, `1y`, `6mo`.
    """

    def __init__(
        self,
        settings: StockSettings,
        throttle: Callable[[], None],
        timeout: float = 30.0,
        *,
        period: str = WHOLE,
    ) -> None:
        self._settings = settings
        self._throttle = throttle
        self._timeout = timeout
        self._period = period
        self._made: Upstream | None = None
        self._making = threading.Lock()

    @property
    def http_calls(self) -> int:
        """HTTP calls so far, those for cookie and crumb included."""
        return self._made.http_calls if self._made else 0

    def daily_bars(self, symbol: str, start: date | None, end: date | None) -> list[Bar]:
        """Bars of the sessions in [start, end], oldest first; without `start` the whole history.

        FetchError where there are none, and why. Prices that Yahoo does not know are None. What
        is odd about the answer is logged, one line a symbol.
        """
        self._check(symbol, start, end)
        yfinance = _prepare(self._settings.cache_folder)
        from connectors.stocks.yahoo_session import CalledOff, Exchange

        with Exchange(self._upstream()) as exchange:
            try:
                frame = self._history(yfinance, symbol, start, end)
                bars, notes = bars_of(frame, start, end)
            except CalledOff as off:
                raise off.reason from None
            except MemoryError:
                raise
            except Exception as error:
                raise self._failed(symbol, error, exchange) from error
        if not bars:
            raise FetchError(Failure.EMPTY, f"{symbol}: no bar in the window", exchange.status)
        notes = oddities(exchange.body) + notes
        if notes:
            log.warning("%s: %s", symbol, "; ".join(notes))
        return bars

    def _check(self, symbol: str, start: date | None, end: date | None) -> None:
        """Refuse what yfinance would look up elsewhere or misread."""
        if not SYMBOL.fullmatch(symbol):
            text = f"{symbol!r} is not a symbol of Tokyo: they look like 7203.T and 130A.T"
            raise FetchError(Failure.BAD_REQUEST, text)
        if start and end and start > end:
            raise FetchError(Failure.BAD_REQUEST, f"{symbol}: {start} is after {end}")

    def _upstream(self) -> "Upstream":
        from connectors.stocks.yahoo_session import Upstream

        with self._making:
            if self._made is None:
                self._made = Upstream(
                    self._settings.yahoo_base_url,
                    self._settings.cache_folder,
                    self._throttle,
                    self._timeout,
                )
            return self._made

    def _history(
        self, yfinance: ModuleType, symbol: str, start: date | None, end: date | None
    ) -> Any:
        """yfinance's table. Its window is open at the end, ours is not."""
        window: dict[str, Any] = {"start": start} if start else {"period": self._period}
        if end:
            window["end"] = end + timedelta(days=1)
        # It keeps answers of past windows, failures too, and would replay a 500 for ever.
        yfinance.data.YfData.cache_get.cache_clear()
        yfinance.cache.get_tz_cache().store(symbol, TIME_ZONE)
        ticker = yfinance.Ticker(symbol, session=_session())
        return ticker.history(
            **window,
            interval="1d",
            auto_adjust=False,
            actions=True,
            repair=False,
            timeout=self._timeout,
        )

    def _failed(self, symbol: str, error: Exception, exchange: "Exchange") -> FetchError:
        """The error to raise instead of ``error``."""
        from connectors.stocks.failures import classify

        failure = classify(error, exchange.status, exchange.body)
        text = f"{symbol}: {_words(error, failure, exchange)}"[:LONGEST_REASON]
        if failure is Failure.LOCAL:
            text += f" (is {self._settings.cache_folder} writable, and is there room?)"
        return FetchError(failure, text, exchange.status)


def _words(error: Exception, failure: Failure, exchange: "Exchange") -> str:
    """What happened, for a person: yfinance says "possibly delisted" of a broken server too."""
    reason = getattr(error, "yahoo_reason", None)
    if reason:
        return f"Yahoo says: {reason}"
    if failure is Failure.MALFORMED or (exchange.status or 0) >= 400:
        return f"the answer begins with {exchange.body[:BEGINNING]!r}"
    return f"{type(error).__name__}: {str(error).partition(CURL_ADVICE)[0]}"


@cache
def _session() -> Any:
    """The process's session. yfinance knows one at a time, so a second would take its place."""
    from connectors.stocks.yahoo_session import BROWSER, YahooSession

    return YahooSession(impersonate=BROWSER)


def _prepare(cache_folder: Path) -> ModuleType:
    """Import yfinance and set it up for this process, once. FetchError (local) where it cannot."""
    with _preparing:
        if _prepared_by and _prepared_by[0] != os.getpid():
            text = "yfinance was used before this process was forked: start workers before"
            raise FetchError(Failure.LOCAL, text)
        import yfinance

        if not _prepared_by:
            try:
                folder = make_cache_folder(cache_folder)
            except OSError as error:
                text = f"{error}: set STOCK_CACHE to a folder that can be written"
                raise FetchError(Failure.LOCAL, text) from error
            yfinance.set_tz_cache_location(str(folder))
            yfinance.config.debug.hide_exceptions = False
            # It asks for its own deprecations, which pandas answers with lines for each symbol.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")
            _prepared_by.append(os.getpid())
        return yfinance
