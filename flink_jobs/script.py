"""SQL text without an engine: tokens, statements, `${VARIABLES}`.

Knows just enough of Flink's SQL to split a file into statements where quotes, comments and
`BEGIN … END` blocks hold semicolons, and to tell the place of every fault.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flink_jobs.errors import SqlError

TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>`(?:[^`]|``)*`)
  | (?P<variable>\$\{[^}]*\})
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
  | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)
VARIABLE = re.compile(r"\$\{([^}]*)\}")
OPEN = {"'": "quote '", "`": "quote `", "/*": "comment /*"}


class Token(NamedTuple):
    """A piece of SQL; `kind` is a group name of TOKEN, `start` its offset in the file."""

    kind: str
    text: str
    start: int

    @property
    def upper(self) -> str:
        """The text in capitals: keywords are compared so."""
        return self.text.upper()


@dataclass(frozen=True)
class Source:
    """A SQL file: its text, and its path for messages."""

    path: str
    text: str

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        before = self.text[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

    def error(self, message: str, offset: int, *, text: str = "", remedy: str = "") -> SqlError:
        """A fault at an offset; without `text` the line itself is shown."""
        line, column = self.place(offset)
        shown = text or self.text.splitlines()[line - 1].strip()
        return SqlError(
            message, path=self.path, line=line, column=column, text=shown, remedy=remedy
        )

    def tokens(self) -> list[Token]:
        """All tokens, comments and white space included. SqlError for an unbalanced quote."""
        found = []
        for match in TOKEN.finditer(self.text):
            token = Token(match.lastgroup or "", match.group(), match.start())
            self._check_closed(token)
            found.append(token)
        return found

    def _check_closed(self, token: Token) -> None:
        """A quote or comment that opens and never closes comes out of TOKEN as a symbol."""
        if token.kind != "symbol":
            return
        two = self.text[token.start : token.start + 2]
        opened = OPEN.get(two) or OPEN.get(token.text)
        if opened:
            remedy = "close it; a quote inside a string is written twice"
            raise self.error(f"unbalanced {opened}", token.start, remedy=remedy)


@dataclass(frozen=True)
class Statement:
    """One statement of a file, without its closing semicolon."""

    source: Source
    tokens: tuple[Token, ...]

    @property
    def start(self) -> int:
        """Offset in the file of the first token that is code."""
        return self.code()[0].start

    @property
    def text(self) -> str:
        """The statement as written; comments before its first word are left out."""
        last = self.tokens[-1]
        return self.source.text[self.start : last.start + len(last.text)].rstrip()

    def code(self) -> list[Token]:
        """Tokens that are neither comment nor white space."""
        return [token for token in self.tokens if token.kind not in ("space", "comment")]

    def words(self, count: int) -> str:
        """The first tokens in capitals, joined by one space."""
        return " ".join(token.upper for token in self.code()[:count])

    def render(self, variables: Mapping[str, str]) -> str:
        """The statement with every `${NAME}` replaced. SqlError names an unknown one."""
        start = self.start
        parts = [
            _replace(self.source, token, variables) for token in self.tokens if token.start >= start
        ]
        return "".join(parts).rstrip()


def split(source: Source) -> list[Statement]:
    """Statements of a file, in order. Semicolons in quotes, comments and blocks do not split."""
    statements = []
    current: list[Token] = []
    blocks: list[Token] = []
    for token in source.tokens():
        if token.kind == "symbol" and token.text == ";" and not blocks:
            statements.append(Statement(source, tuple(current)))
            current = []
            continue
        _follow_block(source, token, blocks)
        current.append(token)
    if blocks:
        remedy = f"close {blocks[-1].upper} with END"
        raise source.error(f"{blocks[-1].upper} without END", blocks[-1].start, remedy=remedy)
    statements.append(Statement(source, tuple(current)))
    return [statement for statement in statements if statement.code()]


def fill(source: Source, variables: Mapping[str, str]) -> Source:
    """The whole file with every `${NAME}` replaced, comments left alone; lines stay lines."""
    text = "".join(_replace(source, token, variables) for token in source.tokens())
    return Source(source.path, text)


def _follow_block(source: Source, token: Token, blocks: list[Token]) -> None:
    if token.kind != "word":
        return
    if token.upper in ("BEGIN", "CASE"):
        blocks.append(token)
    elif token.upper == "END":
        if not blocks:
            remedy = "write a column of that name in backticks"
            raise source.error("END without BEGIN or CASE", token.start, remedy=remedy)
        blocks.pop()


def _replace(source: Source, token: Token, variables: Mapping[str, str]) -> str:
    """Fill in the variables of one token; a value inside a string keeps its quotes harmless."""
    if token.kind == "comment" or "${" not in token.text:
        return token.text

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in variables:
            remedy = (
                f"give {name} a default under [variables] in sql/jobs.toml, or set the "
                "environment variable"
            )
            offset = token.start + match.start()
            raise source.error(
                f"unknown variable {name}", offset, text=match.group(), remedy=remedy
            )
        text = variables[name]
        return text.replace("'", "''") if token.kind == "string" else text

    return VARIABLE.sub(value, token.text)


def setting(statement: Statement) -> tuple[str, str] | None:
    """Key and value of a `SET 'key' = 'value'` line; None for any other statement."""
    code = statement.code()
    if code[0].upper != "SET":
        return None
    rest = " ".join(token.text for token in code[1:])
    match = re.fullmatch(r"'([^']+)' = '((?:[^']|'')*)'", rest)
    if match is None:
        raise statement.source.error(
            "SET line not understood", statement.start, remedy="write SET 'key' = 'value';"
        )
    return match.group(1), match.group(2).replace("''", "'")


def names(statement: Statement) -> Iterator[Token]:
    """Identifiers and keywords of a statement: candidates for the names it uses."""
    for token in statement.code():
        if token.kind == "word":
            yield token
        elif token.kind == "quoted":
            yield token._replace(text=token.text[1:-1].replace("``", "`"))
