"""Splitting SQL files and filling in variables."""

import pytest

from flink_jobs.errors import SqlError
from flink_jobs.script import Source, setting, split


def texts(sql: str) -> list[str]:
    """Statements of a text."""
    return [statement.text for statement in split(Source("a.sql", sql))]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 -- no; end\n; SELECT 2", ["SELECT 1 -- no; end", "SELECT 2"]),
        (
            "SELECT ';', '''; it', `a;b` /* ; */ FROM t",
            ["SELECT ';', '''; it', `a;b` /* ; */ FROM t"],
        ),
        ("-- only a comment;\n", []),
        ("-- head\nSELECT 1", ["SELECT 1"]),
        (
            "EXECUTE STATEMENT SET\nBEGIN INSERT b SELECT CASE WHEN x THEN 1 END; END; SELECT 1",
            [
                "EXECUTE STATEMENT SET\nBEGIN INSERT b SELECT CASE WHEN x THEN 1 END; END",
                "SELECT 1",
            ],
        ),
        ("SELECT 'a' || '' FROM t;;", ["SELECT 'a' || '' FROM t"]),
    ],
)
def test_semicolons_split_only_outside_of_quotes_comments_and_blocks(
    sql: str, expected: list[str]
) -> None:
    """A file is cut at the semicolons that end statements, at no other."""
    assert texts(sql) == expected


@pytest.mark.parametrize(
    ("sql", "place", "message"),
    [
        ("SELECT 1,\n  'abc FROM t", (2, 3), "unbalanced quote '"),
        ("SELECT `abc FROM t", (1, 8), "unbalanced quote `"),
        ("SELECT 1 /* abc", (1, 10), "unbalanced comment"),
        ("SELECT CASE WHEN 1\n;", (1, 8), "CASE without END"),
        ("SELECT 1 END", (1, 10), "END without BEGIN"),
    ],
)
def test_what_opens_and_never_closes_is_named_with_its_place(
    sql: str, place: tuple[int, int], message: str
) -> None:
    """An unbalanced quote, comment or block is told with file, line, column and remedy."""
    with pytest.raises(SqlError, match=message) as caught:
        split(Source("sql/a.sql", sql))
    assert (caught.value.line, caught.value.column) == place
    assert str(caught.value).startswith(f"sql/a.sql:{place[0]}:{place[1]}: ")
    assert "to do: " in str(caught.value)


def test_variables_are_filled_in_outside_of_comments() -> None:
    """A value replaces its name in code and strings; comments stay as they are."""
    statement = split(Source("a.sql", "SELECT ${N}, '${TEXT}' -- ${UNKNOWN}\nFROM t"))[0]
    rendered = statement.render({"N": "5", "TEXT": "it's"})
    assert rendered == "SELECT 5, 'it''s' -- ${UNKNOWN}\nFROM t"


def test_a_missing_variable_is_named_with_its_place() -> None:
    """An unknown variable is refused with file, line, column and where to define it."""
    statement = split(Source("a.sql", "SELECT 1,\n  '${NOPE}'"))[0]
    with pytest.raises(SqlError) as caught:
        statement.render({})
    assert (caught.value.line, caught.value.column, caught.value.text) == (2, 4, "${NOPE}")
    assert "jobs.toml" in caught.value.remedy


def test_set_lines_are_understood_or_refused() -> None:
    """SET 'key' = 'value' gives both; any other statement none; a broken SET is refused."""
    first, second, broken = split(Source("a.sql", "SET 'a.b'='it''s'; SELECT 1; SET a = 1"))
    assert setting(first) == ("a.b", "it's")
    assert setting(second) is None
    with pytest.raises(SqlError, match="SET line"):
        setting(broken)
