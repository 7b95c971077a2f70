"""Every query and every case of the pages on Flink, and the pictures drawn from what it gives."""

import pytest

from flink_jobs.testing.compare import difference
from flink_jobs.testing.values import START, expected_value, rows
from tests.docs import pages
from tests.docs.draw import DRAWINGS, answer

pytestmark = pytest.mark.flink
CASES = list(pages.cases())


@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_a_query_gives_what_its_page_shows(name: str, case: pages.Case) -> None:
    """Result, late rows and picture are those of this run."""
    found = answer(case)
    for part in sorted({"expect", "late"} & set(case.content)):
        wanted = [
            {column: expected_value(value, START) for column, value in row.items()}
            for row in rows(case.content[part])
        ]
        assert not difference(part, found[part], wanted), difference(part, found[part], wanted)
    if name in DRAWINGS:
        path = pages.PICTURES / f"{name}.svg"
        drawn = DRAWINGS[name](case, found)
        assert path.read_text(encoding="utf-8") == drawn, f"{path.name}: `make pictures`"


def test_every_picture_is_drawn_from_a_query() -> None:
    """No picture is left from another time."""
    drawn = {name for name, _ in CASES} & set(DRAWINGS)
    assert {path.stem for path in pages.PICTURES.iterdir()} == drawn == set(DRAWINGS)
