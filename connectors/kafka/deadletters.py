"""Records that Kafka refused for good: kept in a local file, one JSON object a line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import msgspec

from connectors.kafka.producers import Failure


class DeadLetterFile:
    """Appends failed records to ``<folder>/<writer>-<start of the process>.jsonl``.

    ``key``, ``value`` and header values are base64, so any bytes survive. The file is made with
    the first record: no file means that nothing was refused.
    """

    def __init__(self, folder: Path, writer: str) -> None:
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        self.path = folder / f"{writer}-{started}.jsonl"
        self._file: TextIO | None = None

    def write(self, failures: list[Failure]) -> None:
        """Append records; they are on their way to the disk when this returns."""
        if not failures:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        for failure in failures:
            self._file.write(msgspec.json.encode(failure._asdict()).decode() + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None
