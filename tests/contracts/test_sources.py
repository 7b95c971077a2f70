"""Sources of SQL and events of connectors say the same."""

import types
import typing

import pytest
from msgspec.structs import fields

from connectors import events
from connectors.kafka import topics
from flink_jobs.catalog import Catalog
from flink_jobs.script import Statement
from flink_jobs.settings import ROOT

CATALOG = Catalog.load(ROOT / "sql", {})
SOURCES = {
    "trade_events": (events.Trade, topics.TRADES),
    "quote_events": (events.Quote, topics.QUOTES),
    "book_events": (events.BookUpdate, topics.BOOKS),
    "status_events": (events.FeedStatus, topics.STATUS),
}
READ_BY_MODELS_ONLY = {"minutes"}
TYPES = {int: {"BIGINT", "INT"}, str: {"STRING"}, float: {"DOUBLE"}, bool: {"BOOLEAN"}}


def columns(statement: Statement) -> dict[str, str]:
    """Physical columns of a CREATE TABLE and their types."""
    found = {}
    body = statement.text.split("(", 1)[1].split("event_time AS", 1)[0]
    for line in body.strip().splitlines():
        name, kind = line.strip().rstrip(",").split(None, 1)
        found[name.strip("`")] = kind
    return found


def wire_types(annotation: object) -> set[str]:
    """SQL types that can hold a field."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        return set.intersection(*(wire_types(part) for part in parts))
    if typing.get_origin(annotation) is typing.Literal:
        return {"STRING"}
    if annotation == list[events.Level]:
        return {"ARRAY<ARRAY<STRING>>"}
    assert isinstance(annotation, type)
    return TYPES[annotation]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_has_the_columns_of_its_event(name: str) -> None:
    """Every field of the event is a column of a type that holds it, and there is no other."""
    event, _ = SOURCES[name]
    declared = columns(CATALOG.definitions[name].statement)
    hints = typing.get_type_hints(event)
    expected = {"event_type", *(field.name for field in fields(event))}
    assert set(declared) == expected
    for field in fields(event):
        assert declared[field.name] in wire_types(hints[field.name]), field.name


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_reads_the_topic_of_its_event(name: str) -> None:
    """The topic's name is the one that connectors write to."""
    _, topic = SOURCES[name]
    assert f"'topic' = '${{TOPIC_PREFIX}}{topic.name}'" in CATALOG.definitions[name].statement.text


@pytest.mark.parametrize("topic", topics.ORDER_TOPICS, ids=lambda topic: topic.name)
def test_a_topic_of_other_producers_has_a_source_of_bytes(topic: topics.Topic) -> None:
    """Each is read once, as bytes, so that no record of theirs can stop a job."""
    named = f"'topic' = '${{TOPIC_PREFIX}}{topic.name}'"
    (source,) = [d for d in CATALOG.definitions.values() if named in d.statement.text]
    assert "body BYTES" in source.statement.text
    assert "'format' = 'raw'" in source.statement.text


@pytest.mark.parametrize(
    "topic",
    [topics.LATE_EVENTS, topics.ALERTS, topics.PROCESSED_EVENTS, topics.CUSTOMER_METRICS],
    ids=lambda topic: topic.name,
)
def test_shared_topics_are_made_alike_by_both_sides(topic: topics.Topic) -> None:
    """Whoever makes the topic first, it has the same partitions and configuration."""
    ours = CATALOG.topic(topic.name)
    assert (ours.partitions, ours.config) == (topic.partitions, topic.config)


def test_every_job_names_models_that_exist() -> None:
    """jobs.toml has no dead names, and every model belongs to a job."""
    named = {model for job in CATALOG.jobs.values() for model in job.models}
    assert {name.rsplit("/", 1)[1] for name in named} == {
        name for name in CATALOG.model_paths if name not in READ_BY_MODELS_ONLY
    }
    for name in named:
        assert CATALOG.model(name).question.endswith("?")
