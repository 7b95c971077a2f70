"""The folder of SQL files: jobs, what models need, variables."""

from pathlib import Path

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError, SqlError
from flink_jobs.settings import jdbc_url

JOBS = """
[jobs.one]
models = ["windows/upper"]
parallelism = 3
options = { "a.b" = "own" }
[variables]
NAME = "default"
DATABASE = "jdbc:postgresql://h:1/d?user=u"
[options]
"a.b" = "general"
"c" = "d"
[topics.default]
partitions = 2
config = { "retention.ms" = 5 }
"""
MODEL = "-- Question: What?\n-- Key: a\n-- Sinks: kafka\nSELECT a FROM "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder: a source, a view on it, a model on the view, a model on the model."""
    for name in ("sources", "views", "windows"):
        (tmp_path / name).mkdir()
    (tmp_path / "jobs.toml").write_text(JOBS)
    (tmp_path / "sources/raw.sql").write_text(
        "CREATE TABLE raw_rows (a INT) WITH ('x' = '${NAME}');"
    )
    (tmp_path / "views/rows.sql").write_text(
        "CREATE TEMPORARY VIEW clean AS SELECT a FROM raw_rows;"
    )
    (tmp_path / "windows/lower.sql").write_text(MODEL + "clean")
    (tmp_path / "windows/upper.sql").write_text(MODEL + "`lower` WHERE a = ${NAME}")
    return tmp_path


def test_a_job_has_its_own_options_over_the_general_ones(folder: Path) -> None:
    """Options, parallelism and topics come from jobs.toml."""
    catalog = Catalog.load(folder, {})
    assert catalog.job("one").options == {"a.b": "own", "c": "d"}
    assert catalog.job("one").parallelism == 3
    assert catalog.topic("analytics.lower").config == {"retention.ms": "5"}


def test_models_come_after_the_models_they_read(folder: Path) -> None:
    """The inputs of a model are found by name, and are read first."""
    models = Catalog.load(folder, {"NAME": "7"}).with_inputs(["windows/upper"])
    assert [model.name for model in models] == ["lower", "upper"]
    assert models[1].statement.text.endswith("a = 7")


def test_only_definitions_in_use_are_needed_each_after_its_own(folder: Path) -> None:
    """A view's table comes before the view; what nobody reads stays away."""
    (folder / "sources/other.sql").write_text("CREATE TABLE unused (a INT);")
    catalog = Catalog.load(folder, {})
    needed = catalog.needed(model.statement for model in catalog.with_inputs(["windows/lower"]))
    assert [definition.name for definition in needed] == ["raw_rows", "clean"]


def test_a_circle_of_models_is_refused(folder: Path) -> None:
    """Models that read each other are told as a circle."""
    (folder / "windows/lower.sql").write_text(MODEL + "upper")
    with pytest.raises(SqlError, match="upper > lower > upper"):
        Catalog.load(folder, {}).with_inputs(["windows/upper"])


def test_an_unknown_job_is_answered_with_the_nearest(folder: Path) -> None:
    """A typing error in a job's name gets a guess and the list."""
    with pytest.raises(JobError, match=r"no job on \(did you mean one\?\)"):
        Catalog.load(folder, {}).job("on")


def test_a_model_file_is_a_job_of_its_own(folder: Path) -> None:
    """A path instead of a job's name runs that model alone."""
    job = Catalog.load(folder, {}).job(str(folder / "windows/lower.sql"))
    assert (job.name, job.models, job.options["c"]) == ("lower", ("windows/lower",), "d")


def test_a_statement_that_makes_nothing_is_refused_among_sources(folder: Path) -> None:
    """Sources hold CREATE statements only."""
    (folder / "sources/other.sql").write_text("DROP TABLE clean;")
    with pytest.raises(SqlError, match="DROP TABLE does not belong here"):
        assert Catalog.load(folder, {}).definitions


def test_the_environment_goes_before_defaults(folder: Path) -> None:
    """Given values replace defaults, and DATABASE_URL makes the JDBC address."""
    catalog = Catalog.load(folder, {"NAME": "x", "DATABASE_URL": "postgresql://me@host:5/db"})
    assert catalog.variables["NAME"] == "x"
    assert catalog.variables["DATABASE"] == "jdbc:postgresql://host:5/db?user=me"


def test_a_password_in_the_address_is_refused() -> None:
    """A password would show in the Flink web page."""
    with pytest.raises(JobError, match="PGPASSFILE"):
        jdbc_url("postgresql://me:secret@host/db")
