"""What the cases of the models must show. The cases themselves are the YAML files beside this."""

from collections import defaultdict
from pathlib import Path

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.settings import ROOT
from flink_jobs.testing.cases import COVERS, cases

FOLDER = Path(__file__).parent
MODELS = Catalog.load(ROOT / "sql", {}).model_paths


def told() -> dict[str, set[str]]:
    """Tags of all cases by model: what they cover, and what cannot be and why."""
    found: dict[str, set[str]] = defaultdict(set)
    for case in cases([FOLDER]):
        model = case.content.get("model", "").rsplit("/", 1)[-1]
        found[model] |= {*case.content.get("covers", []), *case.content.get("does_not_apply", {})}
    return found


@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_cases_of_disorder_lateness_null_and_ties(model: str) -> None:
    """Each tag is covered by a case of the model, or a case says why it does not apply."""
    assert set(COVERS) - told()[model] == set()
