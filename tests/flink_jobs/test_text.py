"""Tables of text."""

from flink_jobs.text import aligned


def test_columns_are_aligned() -> None:
    """Two blanks between columns, none at the end."""
    assert aligned([["a", "long"], ["abc", "x"]]) == ["a    long", "abc  x"]
