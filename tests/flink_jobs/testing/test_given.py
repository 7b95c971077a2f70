"""Rows of cases as records of bytes."""

import base64

from flink_jobs.testing import given

DDL = """CREATE TABLE t (
    body BYTES,
    topic STRING METADATA VIRTUAL,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    event_time AS TO_TIMESTAMP_LTZ(0, 3)
)"""


def test_metadata_columns_become_plain_ones() -> None:
    """A file has no offsets, so a case gives them."""
    assert given.physical(DDL).splitlines()[2:4] == [
        "    topic STRING,",
        "    record_time TIMESTAMP_LTZ(3),",
    ]


def test_a_row_becomes_the_record_that_holds_it() -> None:
    """Its JSON as base64, its place by its number; the record's own time may be given."""
    first, second = given.records(DDL, [{"a": 1, "_time": "2026-02-25 06:00:00.000Z"}, {}])
    assert base64.b64decode(first["body"]) == b'{"a": 1}'
    assert first["record_time"] == "2026-02-25 06:00:00.000Z"
    assert (second["offset"], second["record_time"]) == (1, given.LATER)


def test_a_value_may_be_given_as_it_is() -> None:
    """Text or hexadecimal bytes, for what is no JSON."""
    found = given.records(DDL, [{"_text": "{x"}, {"_hex": "ff00"}])
    assert [base64.b64decode(row["body"]) for row in found] == [b"{x", b"\xff\x00"]


def test_rows_of_other_sources_stay_as_they_are() -> None:
    """A source of columns takes the row itself."""
    assert given.records("CREATE TABLE t (a INT)", [{"a": 1}]) == [{"a": 1}]
