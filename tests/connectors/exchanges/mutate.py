"""Frames as no venue sends them: real ones with bytes, values or whole parts changed."""

import random
import re
from collections.abc import Callable, Sequence

_VALUE = re.compile(rb'"[^"]*"|-?[0-9][0-9.eE+-]*|true|false|null')
ODD = (
    b"null", b"true", b"0", b"-1", b"1e400", b"1e-05", b"-0.0", b"18446744073709551616", b"1.5",
    b'""', b'"x"', b'"1e5"', b'"NaN"', b"NaN", b'"-1"', b'"\\u0000"', b'"\\ud800"', b"[]", b"{}",
    b"[[]]", b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:60Z"', b"9" * 40,
    b'"' + b"7" * 40 + b'"',
    b'"2023-11-14T22:13:19.1234567Z"', b"1699999999999", b'"1699999999999"', b'"0"', b'"007"',
)  # fmt: skip


def _bytes(rng: random.Random, frame: bytes, _: Sequence[bytes]) -> bytes:
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(frame) + 1)
        frame = frame[:at] + rng.randbytes(rng.randrange(4)) + frame[at + rng.randrange(4) :]
    return frame


def _value(rng: random.Random, frame: bytes, others: Sequence[bytes]) -> bytes:
    for _ in range(rng.choice((1, 1, 2))):
        found = list(_VALUE.finditer(frame))
        if not found:
            break
        one = rng.choice(found)
        new = rng.choice(ODD)
        if rng.random() < 0.3:
            new = rng.choice(_VALUE.findall(rng.choice(others)) or [new])
        frame = frame[: one.start()] + new + frame[one.end() :]
    return frame


def _cut(rng: random.Random, frame: bytes, _: Sequence[bytes]) -> bytes:
    return frame[: rng.randrange(len(frame) + 1)]


def _repeat(rng: random.Random, frame: bytes, _: Sequence[bytes]) -> bytes:
    start, end = sorted((rng.randrange(len(frame) + 1), rng.randrange(len(frame) + 1)))
    return frame[:end] + frame[start:]


def _splice(rng: random.Random, frame: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return frame[: rng.randrange(len(frame) + 1)] + other[rng.randrange(len(other) + 1) :]


def _noise(rng: random.Random, frame: bytes, _: Sequence[bytes]) -> bytes:
    return rng.randbytes(rng.randrange(200))


def _same(rng: random.Random, frame: bytes, _: Sequence[bytes]) -> bytes:
    return frame


KINDS: tuple[Callable[[random.Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_value, _value, _value, _value, _bytes, _bytes),
    *(_cut, _repeat, _splice, _noise, _same),
)


def mutated(rng: random.Random, frames: Sequence[bytes]) -> bytes:
    """Return one of the frames, changed in one way."""
    return rng.choice(KINDS)(rng, rng.choice(frames), frames)
