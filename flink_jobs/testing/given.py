"""Rows given in a case to a source that reads bytes and the place of each record.

A given row is the record's JSON object. `_text` or `_hex` in its stead is the record's value as it
is, `_time` the record's own time (by default later than any event, so that nothing lies ahead).
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

METADATA = re.compile(r"\s+METADATA(?:\s+FROM\s+'[^']*')?(?:\s+VIRTUAL)?")
RAW = re.compile(r"^\s*body BYTES,", re.MULTILINE)
LATER = "2100-01-01 00:00:00.000Z"
SPECIAL = ("_text", "_hex", "_time")


def physical(ddl: str) -> str:
    """A CREATE TABLE whose metadata columns are plain ones, for a connector without them."""
    return METADATA.sub("", ddl)


def records(ddl: str, given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows as the table's JSON format reads them: records of bytes where it reads bytes."""
    if not RAW.search(ddl):
        return [dict(row) for row in given]
    return [_record(number, row) for number, row in enumerate(given)]


def _record(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "body": base64.b64encode(_value(row)).decode(),
        "topic": "given",
        "partition": 0,
        "offset": number,
        "record_time": row.get("_time", LATER),
    }


def _value(row: Mapping[str, Any]) -> bytes:
    if "_text" in row:
        return str(row["_text"]).encode()
    if "_hex" in row:
        return bytes.fromhex(row["_hex"])
    return json.dumps({name: cell for name, cell in row.items() if name not in SPECIAL}).encode()
