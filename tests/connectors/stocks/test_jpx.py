"""Getting the list: over HTTP, from a file, and what is said when it cannot be had."""

from pathlib import Path

import pytest

from connectors.stocks import jpx
from connectors.stocks.settings import StockSettings
from tests.connectors.stocks.upstream import Reply, serve
from tests.connectors.stocks.workbooks import row, workbook

pytestmark = pytest.mark.airflow

BOOK = workbook([row()])


def test_downloads_from_the_address_of_the_settings() -> None:
    """The bytes and where they came from."""
    with serve() as upstream:
        upstream.pages["/data_j.xlsx"] = Reply(body=BOOK)
        url = f"{upstream.url}/data_j.xlsx"
        assert jpx.download(StockSettings(jpx_listing_url=url)) == (BOOK, url)


def test_falls_back_to_the_old_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the .xlsx is gone or is a page instead."""
    with serve() as upstream:
        urls = tuple(f"{upstream.url}/{name}" for name in ("gone.xlsx", "page.xlsx", "data_j.xls"))
        monkeypatch.setattr(jpx, "DEFAULT_URLS", urls)
        upstream.pages["/gone.xlsx"] = Reply(404, "no such file")
        upstream.pages["/page.xlsx"] = Reply(200, "<html>maintenance</html>")
        upstream.pages["/data_j.xls"] = Reply(body=b"\xd0\xcf\x11\xe0 and so on")
        assert jpx.download(StockSettings())[1] == urls[2]


def test_takes_a_file_downloaded_by_hand(tmp_path: Path) -> None:
    """Also where its folder has a space in its name."""
    file = tmp_path / "my lists" / "data_j.xlsx"
    file.parent.mkdir()
    file.write_bytes(BOOK)
    assert jpx.download(StockSettings(jpx_listing_url=file.as_uri()))[0] == BOOK


def test_says_why_and_what_to_do() -> None:
    """One reason for each address that was tried, and the remedy."""
    with serve() as upstream:
        upstream.pages["/data_j.xlsx"] = Reply(503, "busy")
        url = f"{upstream.url}/data_j.xlsx"
        with pytest.raises(jpx.ListingError) as caught:
            jpx.download(StockSettings(jpx_listing_url=url))
    assert f"{url}: HTTP 503" in str(caught.value)
    assert "set JPX_LISTING_URL to file://" in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/data_j.xlsx", "file:///no/such/file.xlsx"])
def test_says_when_nothing_is_there(url: str) -> None:
    """A refused connection, a missing file."""
    with pytest.raises(jpx.ListingError, match=r"ConnectionError|No such file"):
        jpx.download(StockSettings(jpx_listing_url=url))
