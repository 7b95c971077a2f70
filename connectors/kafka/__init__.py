"""The Kafka side: topics, encoding, producers."""
