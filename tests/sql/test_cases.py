"""The cases beside this file: models over given rows, on a real Flink inside one process."""

import os
from pathlib import Path

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.check import Case, cases, run_case
from flink_jobs.settings import ROOT, Settings

pytestmark = pytest.mark.flink
FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The project's SQL with its default variables."""
    os.environ.update(Settings().flink_environment())
    return Catalog.load(ROOT / "sql", {})


@pytest.mark.parametrize("case", cases([FOLDER]), ids=lambda case: case.title)
def test_a_model_answers_as_its_case_says(catalog: Catalog, case: Case) -> None:
    """The unchanged SELECT over the given rows gives the expected rows."""
    assert run_case(catalog, case) == ""


def test_every_model_has_a_case(catalog: Catalog) -> None:
    """No model is without given and expected rows."""
    told = {case.content.get("model", "").rsplit("/", 1)[-1] for case in cases([FOLDER])}
    assert set(catalog.model_paths) <= told


def test_a_wrong_answer_is_told_row_by_row(catalog: Catalog) -> None:
    """A case that expects something else fails, with the rows that differ."""
    (case,) = cases([FOLDER / "alerts/price_move.yaml"])
    wrong = {**case.content, "expect": [{"symbol": "FALL", "observed": 6}]}
    fault = run_case(catalog, Case(case.path, wrong))
    assert fault == (
        "missing: symbol=FALL, observed=6\nunexpected: symbol=FALL, observed=6.6666666667"
    )
