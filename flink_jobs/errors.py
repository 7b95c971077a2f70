"""What goes wrong, said so that an analyst can mend it."""


class SqlError(Exception):
    """A fault in a file under `sql/`: where it is, the text concerned, and what to do.

    `line` and `column` count from 1; 0 where the whole file is meant.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        line: int = 0,
        column: int = 0,
        text: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.column = column
        self.text = text
        self.remedy = remedy

    def __str__(self) -> str:
        """`file:line:column: message`, then the offending text and the remedy."""
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        lines = [f"{place}: {self.message}" if place else self.message]
        if self.text:
            lines.append(f"  here: {self.text}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)


class JobError(Exception):
    """A job could not be submitted, or the cluster does not answer. The text says what to do."""
