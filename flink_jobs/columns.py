"""Columns of views and sinks, as Flink prints them."""

import re
from dataclasses import dataclass

FIELD = re.compile(r"^`((?:[^`]|``)+)` (.+?),?$")


@dataclass(frozen=True)
class Column:
    """A column of a view; `type` as Flink prints it, without NOT NULL."""

    name: str
    type: str
    not_null: bool = False

    @property
    def sink_type(self) -> str:
        """Its type in a sink: times without zone (they are UTC), text without a length."""
        if self.type.startswith(("TIMESTAMP_LTZ", "TIMESTAMP")):
            return "TIMESTAMP(3)"
        return "STRING" if self.type.startswith(("CHAR(", "VARCHAR(")) else self.type

    @property
    def selected(self) -> str:
        """The expression that gives the column its sink type."""
        name = quote(self.name)
        if self.type.startswith("TIMESTAMP") and self.type != "TIMESTAMP(3)":
            return f"CAST({name} AS TIMESTAMP(3)) AS {name}"
        return name


def quote(name: str) -> str:
    """An identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def parse_schema(text: str) -> list[Column]:
    """Columns of `str(table.get_resolved_schema())`."""
    columns = []
    for line in text.splitlines():
        match = FIELD.match(line.strip())
        if match:
            kind = re.sub(r" \*(ROWTIME|PROCTIME)\*", "", match.group(2))
            not_null = kind.endswith(" NOT NULL")
            kind = kind.removesuffix(" NOT NULL")
            columns.append(Column(match.group(1).replace("``", "`"), kind, not_null))
    return columns
