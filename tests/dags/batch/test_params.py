"""The trigger form."""

from dags.batch.config import BatchConfig
from dags.batch.params import SETTINGS, fields, settings
from dags.batch.request import SELECTION


def test_every_field_is_a_selection_or_a_setting() -> None:
    """So that nothing a person enters is ignored."""
    assert set(fields()) == set(SELECTION) | set(SETTINGS)
    assert set(SETTINGS) < set(BatchConfig.model_fields)


def test_every_field_has_help() -> None:
    """A title, a text and a section."""
    for name, field in fields().items():
        assert field["title"] and field["description_md"] and field["section"], name


def test_ranges_are_those_of_the_settings() -> None:
    """The form refuses what the engine would refuse."""
    assert settings()["max_workers"]["maximum"] == 64
    assert settings()["requests_per_second"]["exclusiveMinimum"] == 0
    assert settings()["period"]["enum"][:2] == [None, "1d"]


def test_settings_are_empty_at_first() -> None:
    """An empty field leaves it to the environment."""
    assert {field["default"] for field in settings().values()} == {None}
