"""Opens the Kafka client that the settings ask for."""

from connectors.kafka.producers import Producer
from connectors.settings import Settings


def open_producer(settings: Settings, topics: list[str]) -> Producer:
    """The producer that the settings ask for.

    Args:
        settings: Addresses and bounds.
        topics: Full names of the topics that will be written; they must exist.

    Raises:
        BrokerUnreachable: Where no broker answers within 10 s.
    """
    # Only the chosen client is loaded.
    if settings.producer == "kafka-python":
        from connectors.kafka.producer_kafka_python import KafkaPythonProducer

        return KafkaPythonProducer(settings, topics)
    from connectors.kafka.producer_librdkafka import ConfluentProducer

    return ConfluentProducer(settings)
