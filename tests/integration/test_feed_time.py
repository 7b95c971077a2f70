"""Records of other times: years old, or ahead of the clock."""

import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from tests.connectors.feed.running import running_feed, until
from tests.connectors.feed.scripted import DAY, ScriptedBinance
from tests.integration.conftest import RunningStack
from tests.integration.market import wait_until

pytestmark = pytest.mark.integration

CLEANED_SECONDS = 60


def first_offset(bootstrap: str, topic: str) -> int:
    """Offset of the oldest record that the broker still has."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    part = TopicPartition(topic, 0)
    offset = consumer.beginning_offsets([part])[part]
    consumer.close()
    return int(offset)


def write_old(bootstrap: str, topic: str, records: int) -> None:
    """Fill a topic of Kafka's usual retention of seven days with records of the same old day."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({topic: {"num_partitions": 1}})
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for _ in range(records):
        producer.send(topic, b"old", partition=0, timestamp_ms=DAY)
    producer.close()


async def test_a_market_of_years_ago_is_whole_after_the_log_cleaner_ran(
    exchange: ScriptedBinance, stack: RunningStack, tmp_path: Path
) -> None:
    """The cleaner has emptied a topic of the usual retention; ours it has left alone."""
    async with running_feed(exchange, stack.bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(*exchange.make("BTCUSDT", range(1, 101)))
        await until(lambda: feed.published == 100)
    prefix = feed.settings.topic_prefix
    write_old(stack.bootstrap, f"{prefix}usual", 100)
    wait_until(
        lambda: first_offset(stack.bootstrap, f"{prefix}usual") == 100,
        CLEANED_SECONDS,
        "the cleaner empties the topic of the usual retention",
    )
    assert first_offset(stack.bootstrap, f"{prefix}market.trades") == 0
    assert sorted(feed.ids()) == list(range(1, 101))


async def test_a_trade_two_hours_ahead_delays_nothing_and_moves_no_time(
    exchange: ScriptedBinance, stack: RunningStack, tmp_path: Path
) -> None:
    """It is a dead letter; its neighbours are published and heartbeats follow them."""
    ahead = round(time.time() * 1000) + 2 * 3_600_000
    async with running_feed(exchange, stack.bootstrap, tmp_path) as feed:
        await feed.live()
        await exchange.send(
            exchange.trade("BTCUSDT", 1),
            exchange.trade("ETHUSDT", 1, ahead),
            exchange.trade("BTCUSDT", 2),
        )
        await until(lambda: feed.stats.heartbeats >= 1)
    assert sorted(feed.ids()) == [1, 2]
    (letter,) = feed.read("dead-letters")
    assert dict(letter.headers)["reason"] == b"future"
    last = (DAY + 2) * 1000
    assert feed.heartbeats()[0]["ts_event"] < last
