"""What a run was asked for: its params, checked as a whole. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from dags.batch.errors import ConfigError
from dags.batch.models import Mode

SYMBOL = r"^[0-9A-Z]{4,5}(\.T)?$"
"""A code of the exchange, or Yahoo's name for it."""
SEGMENTS = ("prime", "standard", "growth")
SPECIAL_SEGMENTS = {
    "include_etf": "etf",
    "include_reit": "reit",
    "include_pro": "pro",
    "include_certificates": "certificate",
}
SELECTION = (
    "mode",
    "symbols",
    "of",
    "segments",
    "include_foreign",
    "include_class_shares",
    *SPECIAL_SEGMENTS,
)
"""Params that say which stocks; all others are settings of the engine."""


class BadRequest(ConfigError):
    """The params make no sense together, or name what does not exist. Trying again is useless."""


class Request(NamedTuple):
    """Which stocks, and how much of each."""

    mode: Mode
    codes: Sequence[str]
    """Only these; empty: all of the segments."""
    of: str | None
    """Execution whose failed stocks are wanted: its id, uuid or label."""
    segments: frozenset[str]
    include_foreign: bool
    include_class_shares: bool
    session: date | None
    """The one session to fetch (mode session)."""


def code_of(symbol: str) -> str:
    """`7203` for `7203.T`, `7203` or ` 7203.t `."""
    return symbol.strip().upper().removesuffix(".T")


def parse(params: Mapping[str, Any], *, backfill: bool, session: date) -> Request:
    """Read the params of a run; a backfill is always for its one session.

    BadRequest with all faults, one line each.
    """
    faults: list[str] = []
    mode = Mode.SESSION if backfill else _mode(params.get("mode"), faults)
    codes = list(dict.fromkeys(code_of(each) for each in params.get("symbols") or []))
    of = str(params.get("of") or "").strip() or None
    wrong = [code for code in codes if not re.match(SYMBOL, code)]
    if wrong:
        faults.append(f"symbols: {', '.join(wrong)} are no codes (7203, 130A, 7203.T)")
    if mode == Mode.SYMBOLS and not codes:
        faults.append("symbols: mode symbols needs at least one")
    if mode == Mode.FAILED and not of:
        faults.append("of: mode failed needs the execution whose failed stocks are wanted")
    if mode == Mode.FAILED and codes:
        faults.append("symbols: mode failed takes its stocks from `of`, leave this empty")
    if mode != Mode.FAILED and of:
        faults.append(f"of: means something in mode failed only, the mode is {mode}")
    segments = frozenset(params.get("segments") or SEGMENTS)
    unknown = sorted(segments - set(SEGMENTS))
    if unknown:
        faults.append(f"segments: {', '.join(unknown)} unknown, choose of {', '.join(SEGMENTS)}")
    if faults:
        raise BadRequest(faults)
    special = {name for flag, name in SPECIAL_SEGMENTS.items() if params.get(flag)}
    return Request(
        mode=mode,
        codes=codes,
        of=of,
        segments=segments | special,
        include_foreign=bool(params.get("include_foreign", True)),
        include_class_shares=bool(params.get("include_class_shares", False)),
        session=session if mode == Mode.SESSION else None,
    )


def _mode(value: object, faults: list[str]) -> Mode:
    try:
        return Mode(str(value or Mode.DIFFERENTIAL))
    except ValueError:
        faults.append(f"mode: {value} unknown, choose of {', '.join(Mode)}")
        return Mode.DIFFERENTIAL


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's settings among the params, unknown names included; empty ones left out."""
    return {
        name: value
        for name, value in params.items()
        if name not in SELECTION and value is not None and value != ""
    }
