"""Checks of single values on the tolerant path, with the reason of a dead letter.

The parsers' fast paths test the same rules in bulk and come here only for what they do not know.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from connectors.decimals import LEVEL_PRICES, LEVEL_SIZES, PRICES, SIZES, VOLUMES, plain
from connectors.events import Level, TimeSource, Trade
from connectors.exchanges.base import DeadLetter, DeadReason, ResponseError
from connectors.exchanges.times import micros

MAX_ID = 2**63 - 1

Head = tuple[str, str, str, int, int, str, TimeSource, int]
"""The common fields of an event, in their order."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a msgspec decoder raises for bytes that are not the JSON it wants."""

_TOO_DEEP = "(nested too deeply)"
"""What can just be decoded may still be too deep to be written again."""

_decode = msgspec.json.Decoder().decode
_decode_numbers = msgspec.json.Decoder(float_hook=plain).decode


class Reject(Exception):
    """A value that must not become an event."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        """Give the dead letter's reason and detail."""
        super().__init__(detail)
        self.reason: DeadReason = reason
        self.detail = detail


def shown(value: object, limit: int = 80) -> str:
    """Return a value as short, printable ASCII, whatever it holds."""
    try:
        text = ascii(value[: limit + 1] if isinstance(value, (str, bytes)) else value)
    except RecursionError:
        return _TOO_DEEP
    return text if len(text) <= limit else text[: limit - 1] + "~"


def clean(text: object, limit: int = 500) -> str:
    """Return a venue's message as valid text without U+0000, shortened."""
    try:
        kept = str(text)[:limit].replace("\x00", "?")
    except RecursionError:
        return _TOO_DEEP
    return kept.encode("utf-8", "replace").decode("utf-8")


def decoded(frame: bytes, *, numbers: bool = False) -> Any:
    """Return any JSON value. Reject bytes that are none, or whose text cannot be stored.

    With ``numbers`` fractions become their own text, without exponent, instead of floats.
    """
    try:
        return _decode_numbers(frame) if numbers else _decode(frame)
    except UNREADABLE as error:
        unstorable = b"\x00" in frame or b"\\ud" in frame.lower()
        reason: DeadReason = "text" if unstorable else "malformed"
        raise Reject(reason, f"not JSON: {clean(error, 200)}") from error


def _number(reason: DeadReason, name: str, value: object, columns: str) -> NoReturn:
    if isinstance(value, str) and "\x00" in value:
        raise Reject("text", f"{name} holds U+0000: {shown(value)}")
    raise Reject(reason, f"{name} is no positive decimal text that fits {columns}: {shown(value)}")


def price(value: object, name: str = "price", *, zero: bool = False) -> str:
    """Return a price's text, unchanged. Reject where it does not fit DECIMAL(19, 10)."""
    kind = LEVEL_PRICES if zero else PRICES
    if isinstance(value, str) and (value in kind.known or value in kind):
        return value
    _number("price", name, value, "DECIMAL(19, 10)")


def size(value: object, name: str = "size", *, zero: bool = False) -> str:
    """Return a size's text, unchanged. Reject where it does not fit DECIMAL(18, 8)."""
    kind = LEVEL_SIZES if zero else SIZES
    if isinstance(value, str) and (value in kind.known or value in kind):
        return value
    _number("size", name, value, "DECIMAL(18, 8)")


def volume(value: object, name: str) -> str:
    """Return a sum's text, unchanged; sums may be wider than sizes."""
    if isinstance(value, str) and value in VOLUMES:
        return value
    _number("size", name, value, "DECIMAL(38, 18)")


def levels(value: object, name: str) -> list[Level]:
    """Return one side of a book from ``[["price", "size"], ...]``; a size may be zero."""
    found = []
    for level in items(value, name):
        if not isinstance(level, list) or len(level) != 2:
            raise Reject("malformed", f"{name} holds no [price, size]: {shown(level)}")
        found.append((price(level[0], zero=True), size(level[1], zero=True)))
    return found


def known_symbol(native: object, symbols: Mapping[str, str]) -> str:
    """Return the normalised symbol of a venue's name, or reject."""
    if isinstance(native, str):
        if native in symbols:
            return symbols[native]
        if "\x00" in native:
            raise Reject("text", f"symbol holds U+0000: {shown(native)}")
    raise Reject("symbol", f"no instrument of this connection: {shown(native)}")


def integer(value: object, name: str, reason: DeadReason = "malformed") -> int:
    """Return a number from 0 to 2^63 - 1, given as such or as its digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ID:
        return value
    raise Reject(reason, f"{name} is no integer of 63 bits: {shown(value)}")


def text(value: object, name: str, reason: DeadReason = "malformed") -> str:
    """Return a text that can be stored, or reject."""
    if isinstance(value, str) and value and len(value) <= 200:
        if "\x00" in value:
            raise Reject("text", f"{name} holds U+0000: {shown(value)}")
        return value
    raise Reject(reason, f"{name} is no text: {shown(value)}")


def number(value: object) -> object:
    """Return a JSON integer as its text; anything else as it is, for the check that follows."""
    return str(value) if type(value) is int else value


def iso(value: object, name: str = "event time") -> int:
    """Return µs of an RFC 3339 text, or reject."""
    try:
        return micros(value if isinstance(value, str) else "")
    except ValueError:
        raise Reject("time", f"{name} is no UTC time: {shown(value)}") from None


def event_time(micros: int, ts_recv: int, max_future: int) -> int:
    """Return a venue's time in µs. Reject what is not after 1970 or too far in the future."""
    if micros <= 0:
        raise Reject("time", f"event time is not after 1970: {micros} µs")
    if micros > ts_recv + max_future:
        ahead = (micros - ts_recv) / 1e6
        raise Reject("future", f"event time is {ahead:.3f} s ahead of its receipt")
    return micros


def milliseconds(value: object, ts_recv: int, max_future: int) -> int:
    """Return a venue's time in ms as µs, checked."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Reject("time", f"event time is no integer: {shown(value)}")
    return event_time(value * 1000, ts_recv, max_future)


def mapping(value: object, name: str) -> dict[str, object]:
    """Return a JSON object, or reject."""
    if isinstance(value, dict):
        return value
    raise Reject("malformed", f"{name} is no JSON object: {shown(value)}")


def items(value: object, name: str) -> list[object]:
    """Return a JSON array, or reject."""
    if isinstance(value, list):
        return value
    raise Reject("malformed", f"{name} is no JSON array: {shown(value)}")


def raw(part: object) -> bytes:
    """Return a decoded part of a frame as JSON again."""
    try:
        return json.dumps(part, separators=(",", ":")).encode()
    except RecursionError:
        return _TOO_DEEP.encode()


def rows(body: bytes, name: str | None, venue: str) -> list[dict[str, Any]]:
    """Return the objects of a REST answer: its array, or the array called ``name`` in it.

    ResponseError quotes the answer where it is something else, such as an error object.
    """
    try:
        answer = decoded(body)
        found = items(answer if name is None else mapping(answer, "answer").get(name), "answer")
        return [mapping(row, "row") for row in found]
    except Reject as reject:
        shown_body = shown(body, 300)
        raise ResponseError(f"{venue}: {reject.detail}; the answer: {shown_body}") from reject


def ascending(page: list[Trade | DeadLetter]) -> list[Trade | DeadLetter]:
    """Return trades by ``trade_seq``, dead letters last."""
    return sorted(page, key=lambda one: one.trade_seq if isinstance(one, Trade) else MAX_ID)
