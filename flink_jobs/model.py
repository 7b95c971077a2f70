"""A model: a header that says what it answers and where it goes, and ONE SELECT.

    -- Question: How did each symbol trade, minute by minute?
    -- Key:      exchange, symbol, window_start
    -- Sinks:    kafka, postgres
    SELECT … FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) …

Everything else follows from the header and the schema of the SELECT.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from flink_jobs.errors import SqlError
from flink_jobs.script import Source, Statement, Token, setting, split

FIELDS = ("question", "key", "sinks", "topic", "delivery", "late", "state")
SINKS = ("kafka", "kafka-append", "postgres", "alerts", "none")
DELIVERIES = ("at-least-once", "exactly-once")
HEADER = re.compile(r"^--\s*([A-Za-z]+):\s*(.*)$")
INTERVAL = re.compile(r"^INTERVAL '([^']*)' (SECOND|MINUTE|HOUR|DAY)S?$", re.IGNORECASE)
SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
WINDOWS = {"TUMBLE": 0, "HOP": 1, "CUMULATE": 1, "SESSION": 0}
"""Window functions, and which of their intervals is the window's length (or session gap)."""
OVER = "OVER"
"""Kind of a window of rows before each row, by event time."""
FRAME = re.compile(
    r"ORDER BY event_time (?:ASC )?(?:ROWS|RANGE) BETWEEN (INTERVAL '[^']*' \w+|\w+)"
    r"(?: ?\( ?\d+ ?(?:, ?\d+ ?)?\))? PRECEDING",
    re.IGNORECASE,
)
ORIGIN = re.compile(r"^.*?\bFROM (\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Window:
    """A window call of a model, as written."""

    kind: str
    call: str
    """`TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)`."""
    table: str
    time_column: str
    length: float
    """Seconds of the window, or of the gap that ends a session."""

    def over(self, table: str) -> str:
        """The same call over another table."""
        pattern = rf"(\bTABLE\s+)(`?){re.escape(self.table)}\2"
        return re.sub(pattern, rf"\g<1>{table}", self.call, count=1, flags=re.IGNORECASE)


@dataclass(frozen=True)
class Model:
    """One question of an analyst."""

    name: str
    """File name without its ending; name of the view and of the derived tables."""
    question: str
    key: tuple[str, ...]
    sinks: tuple[str, ...]
    topic: str | None
    delivery: str
    settings: dict[str, str]
    """`SET 'key' = 'value';` lines above the SELECT: Flink options of the job it is in."""
    statement: Statement
    windows: tuple[Window, ...]

    @property
    def path(self) -> str:
        """The model's file, for messages."""
        return self.statement.source.path

    @property
    def lookback(self) -> float:
        """Seconds of input before an output row that the row needs."""
        return max((window.length for window in self.windows), default=0.0)

    @property
    def reaches_far(self) -> bool:
        """Whether a row may depend on any row before it: sessions, frames of a number of rows."""
        words = [token.upper for token in self.statement.code()]
        rows = ("ROWS", "BETWEEN") in pairwise(words)
        return rows or any(window.kind == "SESSION" for window in self.windows)

    def error(self, message: str, *, text: str = "", remedy: str = "") -> SqlError:
        """A fault in the model; its place is that of `text` in the file, where it stands."""
        source = self.statement.source
        found = source.text.find(text) if text else -1
        return source.error(message, max(found, 0), text=text, remedy=remedy)


def parse(source: Source) -> Model:
    """Read a model file. SqlError for a header or a body that breaks the rules."""
    statements = split(source)
    settings = [pair for pair in map(setting, statements) if pair]
    statement = _only_select(source, statements[len(settings) :])
    header = _header(source, statements[0].start)
    for field in ("question", "sinks"):
        if not header.get(field):
            remedy = f"add a line `-- {field.capitalize()}: …` above the SELECT"
            raise source.error(f"no {field.capitalize()} in the header", 0, remedy=remedy)
    sinks = _list(header["sinks"])
    _check_sinks(source, sinks)
    key = _list(header.get("key", ""))
    if not key and set(sinks) & {"kafka", "postgres"}:
        remedy = "add `-- Key: column, …`: the columns that name one row, such as window_start"
        raise source.error("no Key in the header", 0, remedy=remedy)
    delivery = header.get("delivery", DELIVERIES[0])
    _check_delivery(source, delivery, sinks)
    name = PurePosixPath(source.path).stem
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        remedy = "name the file with small letters, digits and underscores"
        raise source.error(f"{name} cannot be the name of a table", 0, remedy=remedy)
    return Model(
        name=name,
        question=header["question"],
        key=key or (("alert_id",) if "alerts" in sinks else ()),
        sinks=sinks,
        topic=header.get("topic"),
        delivery=delivery,
        settings=dict(settings),
        statement=statement,
        windows=(*_windows(statement), *_frames(statement)),
    )


def _only_select(source: Source, statements: list[Statement]) -> Statement:
    if not statements:
        raise source.error("no SELECT in the file", 0, remedy="write the SELECT below the header")
    if len(statements) > 1:
        raise source.error(
            "more than one statement", statements[1].start, remedy="one question, one SELECT a file"
        )
    statement = statements[0]
    if statement.words(1) not in ("SELECT", "WITH"):
        remedy = "a model is a SELECT; tables and INSERTs are derived from it"
        raise source.error(f"{statement.words(1)} is not a SELECT", statement.start, remedy=remedy)
    return statement


def _header(source: Source, end: int) -> dict[str, str]:
    """Fields of the comment lines above the SELECT; a line without `Name:` continues a field."""
    fields: dict[str, str] = {}
    current = ""
    offset = 0
    for line in source.text[:end].splitlines(keepends=True):
        match = HEADER.match(line.strip())
        if match and match.group(1).lower() in FIELDS:
            current = match.group(1).lower()
            if current in fields:
                raise source.error(f"{match.group(1)} stands twice", offset, remedy="keep one")
            fields[current] = match.group(2).strip()
        elif match and not line.startswith("--  "):
            remedy = f"known: {', '.join(field.capitalize() for field in FIELDS)}"
            raise source.error(f"unknown header field {match.group(1)}", offset, remedy=remedy)
        elif current and line.startswith("--"):
            fields[current] = f"{fields[current]} {line.strip('- ').strip()}".strip()
        offset += len(line)
    return fields


def _check_sinks(source: Source, sinks: tuple[str, ...]) -> None:
    offset = source.text.lower().find("sinks:")
    for sink in sinks:
        if sink not in SINKS:
            raise source.error(
                f"unknown sink {sink}", offset, text=sink, remedy=f"choose of {', '.join(SINKS)}"
            )
    if len(sinks) > 1 and {"none", "alerts"} & set(sinks):
        raise source.error(
            "`none` and `alerts` stand alone", offset, remedy="alerts go to Kafka and PostgreSQL"
        )
    if {"kafka", "kafka-append"} <= set(sinks):
        raise source.error("kafka and kafka-append together", offset, remedy="choose one of them")


def _check_delivery(source: Source, delivery: str, sinks: tuple[str, ...]) -> None:
    offset = source.text.lower().find("delivery:")
    if delivery not in DELIVERIES:
        remedy = f"choose of {', '.join(DELIVERIES)}"
        raise source.error("unknown delivery", offset, text=delivery, remedy=remedy)
    if delivery == "exactly-once" and sinks != ("kafka-append",):
        remedy = "use `Sinks: kafka-append`; upserts by key need no transactions"
        raise source.error("exactly-once without an append topic", offset, remedy=remedy)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip(" `") for part in text.split(",") if part.strip(" `"))


def _windows(statement: Statement) -> list[Window]:
    code = statement.code()
    found = []
    for index, token in enumerate(code[:-1]):
        if token.kind == "word" and token.upper in WINDOWS and code[index + 1].text == "(":
            window = _window(statement.source, code, index)
            if window is not None:
                found.append(window)
    return found


def _frames(statement: Statement) -> list[Window]:
    """Rows before each row that the model looks back on, straight over a view's event_time."""
    text = " ".join(token.text for token in statement.code())
    frame, origin = FRAME.search(text), ORIGIN.search(text)
    if frame is None or origin is None or not origin.group(1).isidentifier():
        return []
    match = INTERVAL.match(frame.group(1))
    length = float(match.group(1)) * SECONDS[match.group(2).upper()] if match else 0.0
    return [Window(OVER, frame.group(), origin.group(1), "event_time", length)]


def _window(source: Source, code: list[Token], index: int) -> Window | None:
    """Take one window call apart; None where it is not over `TABLE name`."""
    depth = 0
    end = index + 1
    while end < len(code):
        depth += {"(": 1, ")": -1}.get(code[end].text, 0)
        if depth == 0:
            break
        end += 1
    inner = code[index + 2 : end]
    table = _after(inner, "TABLE", 1)
    time_column = _after(inner, "DESCRIPTOR", 2)
    kind = code[index].upper
    lengths = _intervals(inner)
    if not table or not time_column or len(lengths) <= WINDOWS[kind]:
        remedy = f"write {kind}(TABLE view, DESCRIPTOR(column), INTERVAL '…' MINUTE)"
        raise source.error("window call not understood", code[index].start, remedy=remedy)
    call = source.text[code[index].start : code[end].start + 1]
    return Window(kind, call, table, time_column, lengths[WINDOWS[kind]])


def _after(tokens: list[Token], word: str, distance: int) -> str:
    for index, token in enumerate(tokens[:-distance]):
        if token.kind == "word" and token.upper == word:
            return tokens[index + distance].text.strip("`")
    return ""


def _intervals(tokens: list[Token]) -> list[float]:
    found = []
    for index, token in enumerate(tokens[:-2]):
        text = " ".join(part.text for part in tokens[index : index + 3])
        match = INTERVAL.match(text) if token.upper == "INTERVAL" else None
        if match:
            found.append(float(match.group(1)) * SECONDS[match.group(2).upper()])
    return found
