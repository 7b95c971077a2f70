"""Recorded venue frames for tests. They are data beside the repository and may be absent.

One JSON object a line, zstd-compressed: ``t`` is header, http, connect, send or recv; ``data`` is
the frame's text as it travelled (``b64`` a binary frame), ``ts`` its time in seconds. ``messages/``
holds single messages.
"""

import io
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import zstandard

FOLDER = Path(
    os.environ.get("MARKET_STREAMS_RECORDINGS")
    or Path(__file__).resolve().parents[2] / "shared" / "recordings"
)


class Record(NamedTuple):
    """One line of a recording."""

    kind: str
    """header, http, connect, send or recv."""
    ts: int
    """When it happened, in µs."""
    data: bytes
    url: str


def require() -> Path:
    """Return the folder of the recordings; skip the test where there is none."""
    if not FOLDER.is_dir():
        pytest.skip(f"no recordings at {FOLDER} (set MARKET_STREAMS_RECORDINGS)")
    return FOLDER


def message(name: str) -> bytes:
    """Return one single message, for example ``binance-trade_stream``."""
    return (require() / "messages" / f"{name}.json").read_bytes()


def message_names(venue: str) -> list[str]:
    """Return the names of a venue's single messages; empty where there are no recordings."""
    return sorted(path.stem for path in (FOLDER / "messages").glob(f"{venue}-*.json"))


def records(venue: str) -> Iterator[Record]:
    """Read a venue's recording, line by line."""
    with (require() / f"{venue}.jsonl.zst").open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file)
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            row = msgspec.json.decode(line)
            ts = round(row.get("ts", 0) * 1_000_000)
            data = b64decode(row["b64"]) if "b64" in row else row.get("data", "").encode()
            yield Record(row["t"], ts, data, row.get("url", ""))


def frames(venue: str) -> Iterator[tuple[bytes, int]]:
    """Return what was received: frames and their receipt in µs."""
    return ((one.data, one.ts) for one in records(venue) if one.kind == "recv")
