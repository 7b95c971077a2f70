"""The Japan Exchange Group's list of listed stocks: where it is, and how to get it.

    data, name = download(load_stock_settings())
    listing = read_listing(data, name)
    reasons = check(listing, previous_count)

The file became .xlsx in 2026; the .xls address is tried after it. It can also be downloaded by
hand: JPX_LISTING_URL takes a file:// address.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from connectors.stocks.listing import ListedStock, Listing, ListingError, check, read_listing
from connectors.stocks.settings import StockSettings

__all__ = ["ListedStock", "Listing", "ListingError", "check", "download", "read_listing"]

FOLDER = "https://www.jpx.co.jp/markets/statistics-equities/misc/tvdivq0000001vg2-att/"
DEFAULT_URLS = (f"{FOLDER}data_j.xlsx", f"{FOLDER}data_j.xls")
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How a .xlsx (a zip) and a .xls (a compound file) begin."""
TIMEOUT = 60.0


def download(settings: StockSettings) -> tuple[bytes, str]:
    """The file, and the address it came from.

    ListingError with the reason for each address that was tried.
    """
    urls = (settings.jpx_listing_url,) if settings.jpx_listing_url else DEFAULT_URLS
    reasons = []
    for url in urls:
        try:
            data = _get(url)
        except ListingError as error:
            reasons.append(f"{url}: {error}")
            continue
        return data, url
    raise ListingError(
        f"no list of stocks: {'; '.join(reasons)}. Try later, or download the list by hand and "
        "set JPX_LISTING_URL to file:///path/data_j.xlsx"
    )


def _get(url: str) -> bytes:
    """The workbook at ``url``; ListingError with the bare reason where there is none."""
    parts = urlsplit(url)
    data = _read(Path(unquote(parts.path))) if parts.scheme == "file" else _fetch(url)
    if not data.startswith(WORKBOOKS):
        raise ListingError(f"not a workbook, it begins with {data[:20]!r}")
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ListingError(str(error)) from error


def _fetch(url: str) -> bytes:
    # Takes a moment to import, and a file:// needs none of it.
    from curl_cffi import requests

    try:
        response = requests.get(url, impersonate="chrome", timeout=TIMEOUT)
    except requests.exceptions.RequestException as error:
        raise ListingError(f"{type(error).__name__}: {error}") from error
    if response.status_code != 200:
        raise ListingError(f"HTTP {response.status_code}")
    content: bytes = response.content
    return content
