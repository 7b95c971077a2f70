"""The endpoint that changes a feed, by real HTTP: what it refuses before the feed is asked."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigurationError
from connectors.feed.control import MAX_BODY, Change, Control, announced, ask
from connectors.metrics import FeedStats, serve_metrics
from connectors.settings import load_settings

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A feed of Kraken that has not begun yet."""
    control = Control("kraken", lambda: None, asyncio.get_running_loop())
    served = serve_metrics(FeedStats("kraken"), 0, lambda: None, {"/subscriptions": control})
    assert served is not None
    yield served


def request(port: int, method: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
    """Status and answer."""
    url = f"http://127.0.0.1:{port}/subscriptions"
    try:
        asked = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(
    ("method", "body", "headers", "status", "words"),
    [
        ("GET", None, {"Host": "evil.example"}, 403, "not for the host"),
        ("PUT", b"{}", JSON, 405, "GET, POST or DELETE"),
        ("POST", b'{"symbols":["A-B"]}', {"Content-Type": "text/plain"}, 415, "application/json"),
        ("POST", b"{", JSON, 400, "body: "),
        ("POST", b'{"symbols":["A-B"],"chanels":[]}', JSON, 400, "chanels"),
        ("POST", b'{"symbols":[]}', JSON, 400, "at least one"),
        ("POST", b" " * (MAX_BODY + 1), JSON, 400, str(MAX_BODY)),
    ],
)
async def test_bad_requests_are_told_apart(
    port: int, method: str, body: bytes | None, headers: dict[str, str], status: int, words: str
) -> None:
    """Other hosts (a page in a browser), methods, types and bodies: a status and the reason."""
    got, answer = await asyncio.to_thread(request, port, method, body, headers)
    assert (got, words in answer["error"]) == (status, True), answer


async def test_a_feed_that_starts_lists_nothing_and_changes_nothing(port: int) -> None:
    """The error is told by symbol."""
    assert (await asyncio.to_thread(request, port, "GET", None, {})) == (
        200, {"venue": "kraken", "subscriptions": []}
    )  # fmt: skip
    settings = load_settings(metrics_port=port)
    told = await asyncio.to_thread(ask, settings, "kraken", "POST", Change(["A-B"]))
    assert told["errors"] == {"A-B": "the feed is starting or ending"}
    with pytest.raises(ConfigurationError, match="is the feed of kraken, not of binance"):
        await asyncio.to_thread(ask, settings, "binance", "GET")


def test_no_feed_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Neither a port file nor a server behind one that was left."""
    settings = load_settings(market_streams_state=tmp_path)
    with pytest.raises(ConfigurationError, match=r"no feed of okx .* set METRICS_PORT"):
        ask(settings, "okx", "GET")
    announced(settings, "okx", 1)
    with pytest.raises(
        ConfigurationError, match=r"no feed of okx answers at http://127\.0\.0\.1:1/"
    ):
        ask(settings, "okx", "GET")
