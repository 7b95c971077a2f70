"""A loopback Yahoo whose answers a test writes byte by byte, on real sockets.

For what no honest server sends. Cookie and crumb are as at Yahoo: a chart is served to whoever
brings the crumb of the cookie.
"""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

RESET, TRUNCATE, HANG = "reset", "truncate", "hang"


class Reply(NamedTuple):
    """What a call gets. ``trick`` is done to the socket instead of, or after, the answer."""

    status: int = 200
    body: bytes | str | dict[str, Any] = b""
    trick: str = ""


class Row(NamedTuple):
    """One session as Yahoo states it."""

    day: date
    open: float | None = 100.0
    high: float | None = 110.0
    low: float | None = 90.0
    close: float | None = 105.0
    adj_close: float | None = 104.0
    volume: float | None = 1000


def stamp(day: date) -> int:
    """Opening of the session, Unix seconds: 9:00 in Tokyo is midnight UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def chart(
    rows: Sequence[Row],
    dividends: dict[date, float] | None = None,
    splits: dict[date, tuple[int, int]] | None = None,
) -> Reply:
    """The v8 chart of a Tokyo stock."""
    meta = {
        "currency": "JPY",
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": "Asia/Tokyo",
        "gmtoffset": 32400,
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    }
    events = {
        "dividends": {
            str(stamp(day)): {"amount": amount, "date": stamp(day)}
            for day, amount in (dividends or {}).items()
        },
        "splits": {
            str(stamp(day)): {"date": stamp(day), "numerator": new, "denominator": old}
            for day, (new, old) in (splits or {}).items()
        },
    }
    quote = {
        name: [getattr(row, name) for row in rows]
        for name in ("open", "high", "low", "close", "volume")
    }
    result = {
        "meta": meta,
        "timestamp": [stamp(row.day) for row in rows],
        "events": {kind: found for kind, found in events.items() if found},
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": [r.adj_close for r in rows]}]},
    }
    return Reply(body={"chart": {"result": [result], "error": None}})


def refusal(status: int, code: str, description: str) -> Reply:
    """An error in Yahoo's own words."""
    error = {"code": code, "description": description}
    return Reply(status, {"chart": {"result": None, "error": error}})


NOT_FOUND = refusal(404, "Not Found", "No data found, symbol may be delisted")
OUTSIDE = refusal(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2")
EMPTY = Reply(
    body={"chart": {"result": [{"meta": {}, "indicators": {"quote": [{}]}}], "error": None}}
)
INVALID_CRUMB = Reply(
    401, {"finance": {"error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
)


class Upstream:
    """What the server does, and what it saw. ``answers[symbol]`` is used up; the last one stays."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, list[Reply]] = {}
        self.pages: dict[str, Reply] = {}
        """Other things than charts, by path."""
        self.cookie_status, self.crumb_status = 404, 200
        self.generation = 1
        """Cookie and crumb of another generation are refused."""
        self.calls: list[tuple[str, dict[str, str]]] = []
        """Path and query of each call, in order."""
        self.released = threading.Event()

    @property
    def counts(self) -> Counter[str]:
        """Calls by kind: cookie, crumb, chart."""
        return Counter(
            {"/": "cookie", "/v1/test/getcrumb": "crumb"}.get(path, "chart")
            for path, _ in self.calls
        )

    def reply(self, path: str, cookie: str) -> tuple[Reply, str]:
        """The answer to a call, and the cookie that it sets."""
        query = {name: value[-1] for name, value in parse_qs(urlsplit(path).query).items()}
        path = urlsplit(path).path
        self.calls.append((path, query))
        if path in self.pages:
            return self.pages[path], ""
        if path == "/":
            return Reply(self.cookie_status, "no page"), f"A3=visitor{self.generation}; Path=/"
        if path == "/v1/test/getcrumb":
            right = f"A3=visitor{self.generation}" in cookie and self.crumb_status == 200
            return Reply(self.crumb_status, f"crumb{self.generation}" if right else ""), ""
        if query.get("crumb", "") != f"crumb{self.generation}" and self.crumb_status == 200:
            return INVALID_CRUMB, ""
        answers = self.answers.get(path.rpartition("/")[2], [NOT_FOUND])
        return (answers.pop(0) if len(answers) > 1 else answers[0]), ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # headers and body in one packet: two would wait for each other's ACK
    upstream: Upstream

    def do_GET(self) -> None:
        reply, cookie = self.upstream.reply(self.path, self.headers.get("Cookie", ""))
        if reply.trick == HANG:
            self.upstream.released.wait(20)
        if reply.trick in (HANG, RESET):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = json.dumps(reply.body) if isinstance(reply.body, dict) else reply.body
        content = body.encode() if isinstance(body, str) else body
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(content)))
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        if reply.trick == TRUNCATE:
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serve() -> Iterator[Upstream]:
    """Run the server on a free port."""
    upstream = Upstream()
    handler = type("Handler", (_Handler,), {"upstream": upstream})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        upstream.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield upstream
        finally:
            upstream.released.set()
            server.shutdown()
            thread.join()
