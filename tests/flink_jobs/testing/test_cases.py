"""What a file of cases may hold."""

from pathlib import Path

import pytest

from flink_jobs.errors import JobError
from flink_jobs.testing.cases import cases, load
from flink_jobs.testing.check import cases_of, watch


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("model: a\ngiven: {}\nexpects: []", r"unknown field expects \(did you mean expect\?\)"),
        ("given: {}\nexpect: []", "either `model` or `query`"),
        ("model: a\ngiven: {}", "needs `given` and `expect`"),
        ("model: a\ngiven: {}\nexpect: []\ncovers: [lateness]", "unknown tag lateness"),
        ("model: [", "expected the node content"),
    ],
)
def test_a_fault_in_a_case_is_told(tmp_path: Path, text: str, fault: str) -> None:
    """A misspelt field would be a test that tests nothing."""
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(JobError, match=fault):
        load(path)


def test_a_path_without_cases_is_refused(tmp_path: Path) -> None:
    """Nothing run is not a success."""
    with pytest.raises(JobError, match="no cases"):
        cases([tmp_path])


def test_cases_are_chosen_by_model(tmp_path: Path) -> None:
    """By its name or its file; a misspelt name is told."""
    (tmp_path / "m.yaml").write_text("model: windows/bars_1m\ngiven: {}\nexpect: []")
    assert len(cases_of([tmp_path], "sql/windows/bars_1m.sql")) == 1
    with pytest.raises(JobError, match="did you mean bars_1m"):
        cases_of([tmp_path], "bars_1")


def test_watching_waits_for_a_save(tmp_path: Path) -> None:
    """Once at first, then after a file has changed."""
    path = tmp_path / "model.sql"
    path.write_text("SELECT 1")
    rounds = watch(lambda: [path])
    next(rounds)
    path.write_text("SELECT 2")
    next(rounds)
