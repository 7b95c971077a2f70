"""Changing a running feed over HTTP, on the port of its metrics; and asking it to.

    GET    /subscriptions                                        what is subscribed
    POST   /subscriptions {"symbols": [...], "channels": [...]}  subscribe
    DELETE /subscriptions {"symbols": [...], "channels": [...]}  unsubscribe

The server listens on 127.0.0.1 only and takes JSON only, for this machine's own names, so that no
page in a browser can reach it. A change is answered by symbol: ``{"BTC-USDT": "live"}``, or why
not. Where the port is chosen by the system it is found in STATE/control.
"""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec

from connectors.errors import ConfigurationError, ConnectorError
from connectors.feed.changes import Connections
from connectors.settings import Settings

MAX_BODY = 64 * 1024
TIMEOUT = 120.0
"""Seconds for one change: REST may have much to bring."""
LOOPBACK = {"127.0.0.1", "localhost"}

Answer = tuple[str, dict[str, Any]]


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a change."""

    symbols: list[str]
    channels: list[str] = []
    """None: those of the feed to add, all to remove."""


class Control:
    """The WSGI application of ``/subscriptions``; called from the server's threads.

    Args:
        venue: Whose feed it is.
        lines: Gives what may be changed; None while the feed starts or ends.
        loop: Where the feed runs.
    """

    def __init__(
        self,
        venue: str,
        lines: Callable[[], Connections | None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._venue = venue
        self._lines = lines
        self._loop = loop

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, body = self._answer(environ)
        except (FutureTimeout, RuntimeError) as error:
            status, body = "503 Service Unavailable", {"error": str(error) or "no answer in time"}
        start(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode() + b"\n"]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0]
        if host not in LOOPBACK:
            return "403 Forbidden", {"error": f"not for the host {host!r}"}
        method = environ["REQUEST_METHOD"]
        if method == "GET":
            return self._in_loop(self._list())
        if method not in ("POST", "DELETE"):
            return "405 Method Not Allowed", {"error": "GET, POST or DELETE"}
        if not str(environ.get("CONTENT_TYPE", "")).startswith("application/json"):
            return "415 Unsupported Media Type", {"error": "send application/json"}
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            if not 0 < length <= MAX_BODY:
                raise ValueError(f"a body of 1 to {MAX_BODY} bytes is wanted")
            change = msgspec.json.decode(environ["wsgi.input"].read(length), type=Change)
        except ValueError as error:
            return "400 Bad Request", {"error": f"body: {error}"}
        if not change.symbols:
            return "400 Bad Request", {"error": "symbols: give at least one"}
        return self._in_loop(self._change(method == "POST", change))

    def _in_loop(self, work: Any) -> Answer:
        answer: Answer = asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT)
        return answer

    async def _list(self) -> Answer:
        lines = self._lines()
        rows = [] if lines is None else [row._asdict() for row in lines.rows()]
        return "200 OK", {"venue": self._venue, "subscriptions": rows}

    async def _change(self, adds: bool, change: Change) -> Answer:
        """Change one symbol after the other; one that cannot be changed stops no other."""
        done: dict[str, str] = {}
        errors: dict[str, str] = {}
        for symbol in dict.fromkeys(change.symbols):
            lines = self._lines()
            try:
                if lines is None:
                    raise ConnectorError("the feed is starting or ending")
                if adds:
                    live = await lines.add(symbol, change.channels)
                    done[symbol] = "live" if live else "connecting"
                else:
                    done[symbol] = "removed: " + ", ".join(
                        await lines.remove(symbol, change.channels)
                    )
            except ConnectorError as error:
                errors[symbol] = str(error)
        status = "200 OK" if not errors else "409 Conflict"
        return status, {"venue": self._venue, "done": done, "errors": errors}


def _place(settings: Settings, venue: str) -> Path:
    name = f"{settings.topic_prefix}{venue}-{settings.shard}.port"
    return settings.market_streams_state / "control" / name


def announced(settings: Settings, venue: str, port: int) -> Path:
    """Write the port down for `ask`; gives the file, to be removed at the end."""
    path = _place(settings, venue)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(port))
    return path


def ask(settings: Settings, venue: str, method: str, change: Change | None = None) -> Any:
    """Ask the running feed of a venue; gives its answer.

    Raises:
        ConfigurationError: Where none runs here, or it refuses the request.
    """
    port = settings.metrics_port
    if port <= 0:
        try:
            port = int(_place(settings, venue).read_text())
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"no feed of {venue} (shard {settings.shard}) is running with this state folder, "
                f"{settings.market_streams_state}: start it, or set METRICS_PORT to its port"
            ) from error
    url = f"http://127.0.0.1:{port}/subscriptions"
    body = None if change is None else msgspec.json.encode(change)
    headers = {"Content-Type": "application/json"}
    # Never through a proxy: it is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, body, headers, method=method)
        with opener.open(request, timeout=TIMEOUT + 5) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        told = {}
        with suppress(ValueError):
            told = json.load(error)
        if "errors" not in told:
            raise ConfigurationError(f"{url}: {told.get('error', error)}") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"no feed of {venue} answers at {url} ({error}): it has ended, or METRICS_PORT is wrong"
        ) from error
    if told.get("venue") != venue:
        raise ConfigurationError(f"{url} is the feed of {told.get('venue')}, not of {venue}")
    return told
