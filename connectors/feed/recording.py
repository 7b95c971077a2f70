"""Files of raw frames: what a venue said, for replay and tests.

JSON lines, zstd-compressed: ``{"t":"header","exchange","config"}`` (``config``: symbols by channel,
in the words ``trades``, ``ticker``, ``l2_book``, ``candles``), ``{"t":"http","url","data","ts"}``
(the venue's listing; later books by REST, where the header says ``"snapshots":true``), and per
connection ``{"t":"connect"|"send"|"recv"|"disconnect","conn","ts","data"}``. ``data`` is the text
as it travelled, ``ts`` the receipt in seconds. A frame that is no UTF-8 has ``b64`` in place of
``data``. Each file begins with header and listing, so it stands alone.
"""

import base64
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import zstandard
from msgspec import Struct

logger = logging.getLogger(__name__)

WORDS = {"trades": "trades", "quotes": "ticker", "books": "l2_book", "candles": "candles"}
"""A header's word for each of our channels."""


class FrameFile:
    """Lines into rotating files ``<venue>-<UTC time>-<n>.jsonl.zst``.

    Args:
        folder: Made where it is missing.
        venue: For the file's name and header.
        head: Lines that every file begins with.
        max_bytes: Compressed size after which the next file is begun.
    """

    def __init__(
        self, folder: Path, venue: str, head: Sequence[dict[str, object]], max_bytes: int
    ) -> None:
        self.paths: list[Path] = []
        self._folder = folder
        self._venue = venue
        self._head = head
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        name = f"{self._venue}-{started}-{len(self.paths)}.jsonl.zst"
        path = self._folder / name
        self._file: BinaryIO = path.open("xb")
        self._stream = zstandard.ZstdCompressor().stream_writer(self._file, closefd=False)
        self.paths.append(path)
        for line in self._head:
            self._write(line)

    def _write(self, line: dict[str, object]) -> None:
        self._stream.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def answer(self, url: str, body: bytes, ts: int) -> None:
        """Append what REST answered; ``ts`` in µs."""
        text = body.decode(errors="replace")
        self._write({"t": "http", "url": url, "data": text, "ts": ts / 1_000_000})

    def add(self, kind: str, conn: str, ts: int, frame: bytes | None = None) -> None:
        """Append one line; ``ts`` in µs."""
        line: dict[str, object] = {"t": kind, "conn": conn, "ts": ts / 1_000_000}
        if frame is not None:
            try:
                line["data"] = frame.decode()
            except UnicodeDecodeError:
                line["b64"] = base64.b64encode(frame).decode()
        self._write(line)

    def flush(self) -> None:
        """Bring all lines to the disk's cache; begin the next file where this one is full."""
        self._stream.flush(zstandard.FLUSH_BLOCK)
        self._file.flush()
        if self._file.tell() >= self._max_bytes:
            self.close()
            self._open()

    def close(self) -> None:
        """End the compressed frame and the file."""
        self._stream.close()  # type: ignore[no-untyped-call]
        self._file.close()


class Line(NamedTuple):
    """One line of a recording."""

    kind: str
    conn: str
    ts: int
    data: bytes


class Reading(Struct):
    """How the reading of files went."""

    bad_lines: int = 0
    unfinished: list[str] = []
    """Files that end in the middle of a line or of the compression: all before was used."""


class Row(Struct):
    """One line as written; what it does not have is empty."""

    t: str
    conn: str = ""
    ts: float = 0.0
    data: str = ""
    b64: str = ""
    exchange: str = ""
    config: dict[str, list[str]] = {}
    url: str = ""
    snapshots: bool = False


class RecordingFile:
    """Reads one file, compressed or not; what is cut off or broken is counted, not raised."""

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path = path
        self._reading = reading

    def rows(self) -> Iterator[Row]:
        """Rows in order. OSError where the file cannot be read."""
        decode = msgspec.json.Decoder(Row).decode
        for line in self._lines():
            try:
                yield decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._reading.bad_lines += 1

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for chunk in self._chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from filter(None, lines)
        if rest:
            # A line without an end was cut off while it was written.
            self._cut_off()

    def _cut_off(self) -> None:
        if self.path.name not in self._reading.unfinished:
            self._reading.unfinished.append(self.path.name)

    def _chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            if self.path.suffix != ".zst":
                while chunk := file.read(1 << 20):
                    yield chunk
                return
            frame = zstandard.ZstdDecompressor().decompressobj()
            while data := file.read(1 << 20):
                while data:
                    if frame.eof:
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    try:
                        yield frame.decompress(data)
                    except zstandard.ZstdError as error:
                        logger.warning("%s: %s; what came before is used", self.path, error)
                        self._cut_off()
                        return
                    data = frame.unused_data if frame.eof else b""
            if not frame.eof:
                self._cut_off()


def line_of(row: Row) -> Line:
    """The line's time in µs and its frame's bytes."""
    data = base64.b64decode(row.b64) if row.b64 else row.data.encode()
    return Line(row.t, row.conn, round(row.ts * 1_000_000), data)
