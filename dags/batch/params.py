"""The trigger form: what a person may ask of a run, with ranges and help.

The engine's settings take their ranges from `BatchConfig`, so the form cannot disagree with it.
"""

from typing import Any

from dags.batch.config import BatchConfig
from dags.batch.models import Mode
from dags.batch.request import SEGMENTS, SYMBOL

WHICH = "Which stocks"
HOW = "Settings of the engine"

SETTINGS = {
    "batch_size": "Stocks in a chunk, that is, in one Airflow task.",
    "max_workers": "Chunks worked on at once. More than the installation allows has no effect.",
    "requests_per_second": "Calls to Yahoo a second, of all workers on all hosts together.",
    "burst_limit": "Calls that may go out at once before that rate holds.",
    "worker_timeout": "Seconds for one call.",
    "max_retries": "Tries of one stock after its first, when the fault may pass.",
    "retry_delay": "Seconds before the first retry.",
    "backoff_multiplier": "Each further delay is longer by this factor.",
    "commit_interval": "Stocks after which a worker writes counters and progress.",
    "period": "History of a stock of which nothing is stored, and of all in mode full.",
    "overlap_sessions": "Stored sessions that are fetched again to see whether they changed.",
    "breaker_threshold": "Refusals in a row after which the run is paused.",
}
"""Settings of the engine that a run may change. Left empty: as the installation has it."""
RANGE = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum")

MODES = f"""\
* **{Mode.DIFFERENTIAL}**: every stock from its last stored session, with an overlap
* **{Mode.FULL}**: every stock, whole history
* **{Mode.SYMBOLS}**: only the stocks named below, from their last stored session
* **{Mode.FAILED}**: the failed stocks of an earlier execution (`of`)
* **{Mode.SESSION}**: one session of every stock; a backfill always does this
"""


def selection() -> dict[str, dict[str, Any]]:
    """Fields of the form that say which stocks; each has `default` and a JSON schema."""
    return {
        "mode": {
            "default": Mode.DIFFERENTIAL.value,
            "type": "string",
            "enum": [mode.value for mode in Mode],
            "title": "Mode",
            "description_md": MODES,
            "section": WHICH,
        },
        "symbols": {
            "default": [],
            "type": "array",
            "items": {"type": "string", "pattern": SYMBOL},
            "title": "Symbols",
            "description_md": "One a line: `7203`, `130A` or `7203.T`. Empty: all of the segments.",
            "section": WHICH,
        },
        "of": {
            "default": None,
            "type": ["null", "string"],
            "minLength": 1,
            "maxLength": 40,
            "title": "Failed stocks of",
            "description_md": "Mode failed: the execution's id, uuid or label.",
            "section": WHICH,
        },
        "segments": {
            "default": list(SEGMENTS),
            "type": "array",
            "items": {"type": "string", "enum": list(SEGMENTS)},
            "examples": list(SEGMENTS),
            "title": "Segments",
            "description_md": "Markets of ordinary shares.",
            "section": WHICH,
        },
        "include_foreign": flag(True, "Foreign shares", "Shares of foreign companies."),
        "include_class_shares": flag(False, "Class shares", "Codes of five characters."),
        "include_etf": flag(False, "ETF and ETN", "About 480 more."),
        "include_reit": flag(False, "REIT and other funds", "About 60 more."),
        "include_pro": flag(False, "PRO Market", "Yahoo knows few of them."),
        "include_certificates": flag(False, "Contribution securities", "Two."),
    }


def flag(default: bool, title: str, text: str) -> dict[str, Any]:
    """A yes or no field."""
    return {
        "default": default,
        "type": "boolean",
        "title": title,
        "description_md": text,
        "section": WHICH,
    }


def settings() -> dict[str, dict[str, Any]]:
    """Fields of the form for the engine's settings, all empty at first."""
    known = BatchConfig.model_json_schema()["properties"]
    return {name: _setting(known[name], text) for name, text in SETTINGS.items()}


def _setting(schema: dict[str, Any], text: str) -> dict[str, Any]:
    limits = {name: schema[name] for name in RANGE if name in schema}
    if "enum" in limits:
        limits["enum"] = [None, *limits["enum"]]
    return {
        "default": None,
        "type": ["null", schema["type"]],
        **limits,
        "title": schema["title"],
        "description_md": f"{text} Empty: as set for the installation.",
        "section": HOW,
    }


def fields() -> dict[str, dict[str, Any]]:
    """The whole form, in its order."""
    return {**selection(), **settings()}
