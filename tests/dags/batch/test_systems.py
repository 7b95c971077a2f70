"""What is asked before a run begins."""

import socket
from pathlib import Path

import pytest

from connectors.stocks.settings import StockSettings
from dags.batch.systems import CacheUnusable, UpstreamUnreachable, check, reachable, writable
from tests.dags.conftest import BatchDatabase, free_port

pytestmark = pytest.mark.integration


def test_all_is_well(database: BatchDatabase, tmp_path: Path) -> None:
    """A few words about each part; the cache folder is made, no call goes out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        settings = StockSettings(yahoo_base_url=url, stock_cache=tmp_path / "cache")
        found = check(database.connection, {"max_workers": 3}, settings)
        server.accept()[0].close()
    assert found["settings"] == "5 calls/s, 3 workers"
    assert found["migrations"] == "nothing to do"
    assert found["upstream"] == url
    assert (tmp_path / "cache").is_dir()


def test_nobody_answers() -> None:
    """The address and the remedy are named."""
    with pytest.raises(UpstreamUnreachable, match=r"127\.0\.0\.1.*YAHOO_BASE_URL"):
        reachable(f"http://127.0.0.1:{free_port()}")


def test_behind_a_proxy_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the proxy can reach the host; hosts that are exempt are tried."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert "not tried" in reachable("https://yahoo.test")
    with pytest.raises(UpstreamUnreachable):
        reachable(f"https://127.0.0.1:{free_port()}")


def test_the_cache_cannot_be_made(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "cache").touch()
    with pytest.raises(CacheUnusable, match="STOCK_CACHE"):
        writable(StockSettings(stock_cache=tmp_path / "cache"))
