"""One fetch's HTTP calls: where they go, and what time they have together."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from curl_cffi.requests import Response

from connectors.stocks.yahoo_session import LEAST_TIMEOUT, Exchange, Upstream

pytestmark = pytest.mark.airflow

CHART = "https://query2.finance.yahoo.com/v8/finance/chart/7203.T"


def upstream(base_url: str, folder: Path, timeout: float = 10) -> Upstream:
    """One whose cookie and crumb are known already."""
    made = Upstream(base_url, folder, lambda: None, timeout)
    known = {"cookies": {"A3": "visitor"}, "crumb": "shared", "good_until": time.time() + 60}
    made.credentials.path.write_text(json.dumps(known))
    return made


@pytest.mark.parametrize(
    ("base", "url", "address"),
    [
        ("", CHART, CHART),
        ("http://127.0.0.1:1", CHART, "http://127.0.0.1:1/v8/finance/chart/7203.T"),
        ("http://127.0.0.1:1", "https://fc.yahoo.com", "http://127.0.0.1:1/"),
        (
            "https://proxy/yahoo",
            f"{CHART}?a=1&b=2",
            "https://proxy/yahoo/v8/finance/chart/7203.T?a=1&b=2",
        ),
    ],
)
def test_only_the_host_is_replaced(tmp_path: Path, base: str, url: str, address: str) -> None:
    """Path and query stay, and without a base address everything does."""
    assert upstream(base, tmp_path).address(url) == address


def test_calls_share_the_timeout(tmp_path: Path) -> None:
    """What the first took, the next has not; a little is always left."""
    exchange = Exchange(upstream("", tmp_path, timeout=2))
    timeouts: list[float] = []

    def send(*_: object, timeout: float, **__: Any) -> Response:
        timeouts.append(timeout)
        time.sleep(0.6)
        return Response()

    for _ in range(3):
        exchange.answer(send, "GET", CHART, {"timeout": 30})
    assert timeouts[0] == 2
    assert LEAST_TIMEOUT < timeouts[1] <= 1.4
    assert timeouts[2] == LEAST_TIMEOUT


def test_the_shared_crumb_goes_with_the_call(tmp_path: Path) -> None:
    """Not yfinance's own, which may be older."""
    exchange = Exchange(upstream("", tmp_path))
    sent: list[dict[str, Any]] = []

    def send(*_: object, **options: Any) -> Response:
        sent.append(options)
        return Response()

    exchange.answer(send, "GET", CHART, {"params": {"range": "1y", "crumb": "old"}})
    assert sent[0]["params"] == {"range": "1y", "crumb": "shared"}
    assert sent[0]["cookies"] == {"A3": "visitor"}
