"""The HTTP side of yfinance: what goes out, what it may cost, and what came back.

yfinance takes a session and makes all its calls through it. Ours sends them to the base address,
asks the throttle before each, counts them, remembers the last status, and decides what is worth a
second call: only a 401, once, with a new cookie and crumb. yfinance itself would repeat whatever
was refused, a 429 too, and drop cookie and crumb each time.

Imports curl_cffi: import it only where bars are fetched.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException

from connectors.stocks.credentials import GOOD_FOR, WITHOUT_FOR, Credentials, CredentialStore

COOKIE_URL = "https://fc.yahoo.com/"
CRUMB_URL = "https://query1.finance.yahoo.com/v1/test/getcrumb"
COOKIE_HOSTS = frozenset({"fc.yahoo.com", "guce.yahoo.com", "consent.yahoo.com"})
BROWSER = "chrome"
LEAST_TIMEOUT = 1.0
LONGEST_CRUMB = 100
"""Characters; whatever is longer is a page."""

_current = threading.local()


class CalledOff(Exception):
    """The throttle raised; whatever it was, yfinance must not take it for the network's fault."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


class YahooSession(Session):
    """One for all threads of a process: yfinance knows only one session at a time.

    The calls of a thread go through its `Exchange`; without one the session is a plain one.
    """

    def request(self, method: str, url: str, **options: Any) -> Response:
        """Make a call as yfinance asks for it."""
        exchange: Exchange | None = getattr(_current, "exchange", None)
        if exchange is None:
            return super().request(method, url, **options)
        return exchange.answer(super().request, method, url, options)


class Upstream:
    """Yahoo, or what stands in for it. Safe for several threads.

    Args:
        base_url: Takes the place of `https://<host>`; empty: Yahoo itself.
        folder: Where processes share cookie and crumb.
        throttle: Called before every HTTP call; waits, or raises to call the fetch off.
        timeout: Seconds for all HTTP calls of one fetch together.
    """

    def __init__(
        self, base_url: str, folder: Path, throttle: Callable[[], None], timeout: float
    ) -> None:
        self.base_url = base_url
        self.throttle = throttle
        self.timeout = timeout
        self.credentials = CredentialStore(folder, base_url, self._ask, timeout)
        self.http_calls = 0
        self._counting = threading.Lock()

    def address(self, url: str) -> str:
        """Where a call to ``url`` goes: the base address with path and query of ``url``."""
        if not self.base_url:
            return url
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{self.base_url}{parts.path or '/'}{query}"

    def before_call(self) -> None:
        """Wait for the throttle and count the call. CalledOff where the throttle raises."""
        try:
            self.throttle()
        except Exception as error:
            raise CalledOff(error) from error
        with self._counting:
            self.http_calls += 1

    def _ask(self) -> Credentials:
        """Visit Yahoo for a cookie, then for the crumb that belongs to it.

        A failure of the network is no failure here: charts are mostly served without a crumb, and
        where the network is down the chart's own call will say so.
        """
        options: Any = {"timeout": max(LEAST_TIMEOUT, self.timeout / 3), "allow_redirects": True}
        crumb = None
        with Session(impersonate=BROWSER) as visit:
            try:
                self.before_call()
                visit.get(self.address(COOKIE_URL), **options)
                self.before_call()
                crumb = _crumb(visit.get(self.address(CRUMB_URL), **options))
            except RequestException:
                pass
            cookies = {cookie.name: cookie.value or "" for cookie in visit.cookies.jar}
        good_for = GOOD_FOR if crumb else WITHOUT_FOR
        return Credentials(cookies, crumb, time.time() + good_for)


def _crumb(response: Response) -> str | None:
    text: str = response.text.strip()
    fits = 0 < len(text) <= LONGEST_CRUMB and "<" not in text and "Too Many" not in text
    return text if response.status_code == 200 and fits else None


class Exchange:
    """The HTTP calls of one fetch, made in one thread.

        with Exchange(upstream) as exchange:
            frame = yfinance.Ticker(symbol, session=session).history(...)
        exchange.status, exchange.body

    Only ``status`` and the error together tell what went wrong.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.status: int | None = None
        """Of the last answer to a data call; None: none came."""
        self.body = b""
        """Of the last answer to a data call."""
        self._refusal: Response | None = None
        self._spent = 0.0

    def __enter__(self) -> "Exchange":
        _current.exchange = self
        return self

    def __exit__(self, *_: object) -> None:
        _current.exchange = None

    def answer(
        self, send: Callable[..., Response], method: str, url: str, options: dict[str, Any]
    ) -> Response:
        """Answer what yfinance asks for; data by HTTP, cookie and crumb out of what is shared."""
        parts = urlsplit(url)
        if parts.hostname in COOKIE_HOSTS and method == "GET":
            return _instead(url, b"<html></html>")
        if parts.path == urlsplit(CRUMB_URL).path:
            return _instead(url, b"shared")
        if self._refusal is not None:
            return self._refusal
        try:
            response = self._renewing(send, method, url, options)
        except RequestException:
            self.status, self.body = None, b""
            raise
        self.status, self.body = response.status_code, response.content
        if response.status_code >= 400:
            self._refusal = response
        return response

    def _renewing(
        self, send: Callable[..., Response], method: str, url: str, options: dict[str, Any]
    ) -> Response:
        """Make the call; after a 401 once more with another cookie and crumb."""
        credentials = self.upstream.credentials.get()
        response = self._send(send, method, url, options, credentials)
        if response.status_code == 401:
            credentials = self.upstream.credentials.get(refused=credentials)
            response = self._send(send, method, url, options, credentials)
        return response

    def _send(
        self,
        send: Callable[..., Response],
        method: str,
        url: str,
        options: dict[str, Any],
        credentials: Credentials,
    ) -> Response:
        self.upstream.before_call()
        # yfinance's own crumb is as old as its process; the shared one may be newer.
        params = {**(options.get("params") or {}), "crumb": credentials.crumb}
        if credentials.crumb is None:
            del params["crumb"]
        begun = time.monotonic()
        left = max(LEAST_TIMEOUT, self.upstream.timeout - self._spent)
        try:
            return send(
                method,
                self.upstream.address(url),
                **{**options, "params": params, "timeout": left},
                cookies=credentials.cookies,
                discard_cookies=True,
            )
        finally:
            self._spent += time.monotonic() - begun


def _instead(url: str, content: bytes) -> Response:
    """An answer that cost no call."""
    response = Response()
    response.url = url
    response.content = content
    return response
