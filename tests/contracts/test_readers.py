"""How many readers the sources of events have."""

from pathlib import Path

import pytest

from docker.local.settings import ROOT

SOURCES = [
    path
    for path in sorted((ROOT / "sql/sources").glob("*.sql"))
    if "WATERMARK FOR" in path.read_text()
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_with_a_watermark_is_read_by_as_many_readers_as_the_setting_says(
    path: Path,
) -> None:
    """Behind several readers late rows are not told completely: no source may decide by itself."""
    assert "'scan.parallelism' = '${SOURCE_PARALLELISM}'" in path.read_text()


def test_the_trades_are_among_them() -> None:
    """The selection by watermark does not come out empty."""
    assert "trades" in [path.stem for path in SOURCES]
