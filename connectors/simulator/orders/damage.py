"""Records that no reader can use: every way in which producers have been seen to go wrong.

A damaged record is never a sound one: whoever reads the topic must set each of them aside.
"""

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

Fields = dict[str, Any]
DEEP = 3000
NO_NUMBERS = ("1.005", "NaN", "1e3", "0x10", "1_000", "12345678901234567890", "１")
NO_TIMES = (
    *("2026-02-31T00:00:00Z", "2026-02-25T24:00:00Z", "2026-02-25 06:01:00", "now", "1772000000"),
    *("2026-02-25T06:01:00", "2026-02-25T06:01:00+09:00", "2026-02-25T06:01:60Z"),
    *("9999-01-01T00:00:00Z", "+10000-01-01T00:00:00Z"),
)


def _text(fields: Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _replaced(fields: Fields, name: str, value: Any) -> bytes:
    return json.dumps({**fields, name: value}).encode()


def _last(fields: Fields, token: bytes) -> bytes:
    """The record with one more field whose value is not JSON, or not to be read."""
    return _text(fields)[:-1] + b', "extra": ' + token + b"}"


def _wrong_types(name: str) -> dict[str, Callable[[Fields], bytes]]:
    values: tuple[Any, ...] = (None, True, [], {}, ["x"], {"a": 1}, "", "a\0b", 1e300, "\n")
    return {f"{name} is {value!r}": partial(_replaced, name=name, value=value) for value in values}


KINDS: dict[str, Callable[[Fields], bytes]] = {
    "empty": lambda fields: b"",
    "cut": lambda fields: _text(fields)[:-3],
    "two objects": lambda fields: _text(fields) * 2,
    "something after it": lambda fields: _text(fields) + b" x",
    "a member after it": lambda fields: _text(fields) + b', "x": 1',
    "an array": lambda fields: b"[" + _text(fields) + b"]",
    "a number": lambda fields: b"17",
    "null": lambda fields: b"null",
    "single quotes": lambda fields: _text(fields).replace(b'"', b"'"),
    "NaN": lambda fields: _last(fields, b"NaN"),
    "NUL": lambda fields: b"\0" + _text(fields),
    "not UTF-8": lambda fields: _last(fields, b'"\xff"'),
    "overlong UTF-8": lambda fields: _last(fields, b'"\xc0\x80"'),
    "UTF-16": lambda fields: _text(fields).decode().encode("utf-16"),
    "high surrogate": lambda fields: _last(fields, rb'"\ud83d"'),
    "low surrogate": lambda fields: _last(fields, rb'"x\udc00"'),
    "deep nesting": lambda fields: _last(fields, b"[" * DEEP + b"]" * DEEP),
    "deeper, never closed": lambda fields: b'{"a":' * DEEP * 10,
    "no field at all": lambda fields: b"{}",
}
"""Damage by name, whatever the record."""


def kinds(fields: Fields, time_field: str) -> dict[str, Callable[[Fields], bytes]]:
    """All damage that can be done to a record of these fields, by name."""
    found = dict(KINDS)
    for name in fields:
        # An absent amount is no damage to an event: page views have none.
        if name != "data":
            found.update(_wrong_types(name))
    for name in ("amount", "quantity"):
        if name in fields:
            for text in NO_NUMBERS:
                found[f"{name} is {text!r}"] = partial(_replaced, name=name, value=text)
            found[f"{name} is 1e400"] = partial(_infinite, name=name)
    for text in NO_TIMES:
        found[f"time is {text}"] = partial(_replaced, name=time_field, value=text)
    return found


def _infinite(fields: Fields, name: str) -> bytes:
    """A number that is JSON and fits no column."""
    return json.dumps({**fields, name: "?"}).encode().replace(b'"?"', b"1e400")


def damaged(random: Random, fields: Fields, time_field: str) -> tuple[str, bytes]:
    """Name of the damage, and the record's value with it."""
    found = kinds(fields, time_field)
    name = random.choice(sorted(found))
    return name, found[name](fields)
