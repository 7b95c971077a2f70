"""How many partitions the topics of the market get."""

import pytest

from connectors.kafka import topics


def test_there_are_as_many_as_the_highest_writer_in_use_needs() -> None:
    """A venue's number is fixed, so those before it come along, those behind it do not."""
    first, second = topics.WRITERS[0][0], topics.WRITERS[1][0]
    assert topics.partitions_for([first]) == 1
    assert topics.partitions_for([second]) == 2
    assert topics.partitions_for([second, first]) == 2
    assert topics.partitions_for([second], shard=0) == 2


def test_only_topics_with_one_partition_per_writer_grow() -> None:
    """The default is for the venues of the demo."""
    by_name = {topic.name: topic.partitions for topic in topics.topics_for([topics.WRITERS[0][0]])}
    assert (by_name["market.trades"], by_name["alerts"]) == (1, 1)
    assert topics.TRADES.partitions == topics.partitions_for(topics.DEFAULT_VENUES) == 2
    assert by_name.keys() == {topic.name for topic in topics.TOPICS}


def test_an_unknown_venue_is_named() -> None:
    """With what there is."""
    with pytest.raises(KeyError, match="nowhere is no writer; there are binance"):
        topics.partitions_for(["nowhere"])
