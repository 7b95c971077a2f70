"""What Flink plans without a word and should not: pure checks of a model and of its plan."""

import re
from collections.abc import Mapping

from flink_jobs.model import Model
from flink_jobs.script import Token

CHANCE = frozenset(
    [
        "UUID",
        "RAND",
        "RAND_INTEGER",
        "NOW",
        "CURRENT_TIMESTAMP",
        "CURRENT_ROW_TIMESTAMP",
        "LOCALTIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "LOCALTIME",
        "PROCTIME",
        "UNIX_TIMESTAMP",
    ]
)
"""Functions that give another value when a row is computed again."""
STATEFUL = re.compile(r"(?<![A-Za-z])(GroupAggregate|Join|Rank|Deduplicate|ChangelogNormalize)\(")
ENDS = ("GROUP", "HAVING", "ORDER", "WINDOW", "UNION", "LIMIT")


def check(model: Model) -> None:
    """SqlError for a window that is grouped by half, and for a key made of chance or the clock."""
    code = model.statement.code()
    _check_grouping(model, code)
    for name in model.key:
        _check_key(model, code, name)


def _check_grouping(model: Model, code: list[Token]) -> None:
    if not model.windows:
        return
    for place, token in enumerate(code[:-1]):
        if token.upper != "GROUP" or code[place + 1].upper != "BY":
            continue
        names = set()
        for other in code[place + 2 :]:
            if other.upper in ENDS or other.text == ")":
                break
            names.add(other.text.strip("`"))
        missing = {"window_start", "window_end"} - names
        if len(missing) == 1:
            name = missing.pop()
            raise model.statement.source.error(
                f"{name} is missing in GROUP BY: no window would ever close",
                token.start,
                remedy="group by window_start and window_end, both",
            )


def _check_key(model: Model, code: list[Token], name: str) -> None:
    """Look at the expression before `AS name`, back to the comma that parts it from others."""
    for place, token in enumerate(code[1:], 1):
        if token.text.strip("`") != name or code[place - 1].upper != "AS":
            continue
        depth = 0
        for before in reversed(code[: place - 1]):
            depth += {")": 1, "(": -1}.get(before.text, 0)
            if depth < 0 or (depth == 0 and before.text == ",") or before.upper == "SELECT":
                break
            if before.upper in CHANCE:
                raise model.statement.source.error(
                    f"key column {name} comes from {before.upper}: each replay would add rows anew",
                    before.start,
                    remedy="make the key of what the row says, such as ids and event times",
                )


def unbounded(plan: str, settings: Mapping[str, str]) -> list[str]:
    """Warnings of an optimized plan: operators whose state nothing ever drops."""
    ttl = settings.get("table.exec.state.ttl", "0").split()[0]
    if ttl not in ("0", "0ms"):
        return []
    found = []
    for line in plan.split("== Optimized Execution Plan ==")[-1].splitlines():
        match = STATEFUL.search(line)
        if match and "stateTtlHints" not in line:
            shown = line[match.start() :].strip()[:100]
            found.append(
                f"unbounded state in {shown}\n  to do: SET 'table.exec.state.ttl' = '1 d'; above "
                "the SELECT, a window, or a hint /*+ STATE_TTL(…) */"
            )
    return found
